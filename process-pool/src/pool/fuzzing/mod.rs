//! A hostile worker against the parent's real code, for the fuzz targets; see `fuzz/README.md`.
//!
//! The fuzzer's bytes are decoded into [steps](step::Step): what the worker writes and sends, and what the program does
//! meanwhile. The steps call the same methods of the pool's state and of the reply reader as the supervisor and the
//! polling threads do.

mod link;
mod program;
mod step;

use std::{
    io,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind};

use super::{
    Armed, Deferred, EndedProcess, Limits, OnDoorbell, SlotId, Stage, State, ids::Assignment, job::Job, state::Enqueued,
};
use crate::{
    Transport,
    death::Signs,
    start::setup::Setup,
    sys::{child::Process, socket::pair as socketpair},
};
use link::HostileLink;
use program::Program;
use step::{Bytes, Frame, Step};

const SLOT: SlotId = SlotId::FIRST;

/// The most tasks that the program submits.
const MOST_TASKS: usize = 40;

/// A pool with one worker, which is not a process.
struct Harness {
    transport: Transport,
    state: State,
    link: HostileLink,
    program: Program,
    now: Instant,
    /// How many descriptors were open before.
    open_before: usize,
}

/// Whether the pool still uses the link to the worker.
#[derive(PartialEq, Eq)]
enum Link {
    Open,
    Broken,
}

/// Runs one sequence of steps against the parent.
pub fn parent(transport: Transport, bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let mut harness = Harness::new(transport);
    harness.submit(0, false);
    while let Some(step) = Step::decode(&mut bytes) {
        if harness.run_step(step) == Link::Broken {
            harness.replace_worker();
        }
    }
    let _ = harness.read();
    harness.end();
}

/// Sends one greeting to the code that decides whether a process is a worker.
pub fn greeting(bytes: &[u8]) {
    let (parent, worker) = socketpair().expect("a socketpair");
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    };
    let (token, copy) = (number(8), number(52));
    let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
    let _ = rustix::net::send(&parent, bytes, flags);
    drop(parent);
    let is_waiting = Setup::is_waiting(&worker, token, copy);
    if let Ok((setup, attached)) = Setup::receive(std::os::fd::AsFd::as_fd(&worker)) {
        assert!(is_waiting && setup.token == token);
        assert!(attached.channel.is_none() && attached.memory.is_none() && attached.input.is_none());
        assert!(attached.telemetry.is_none());
    }
}

/// Sends these bytes through the pipe for events, in pieces, and delivers what they contain.
#[cfg(feature = "tracing")]
pub fn events(bytes: &[u8]) {
    use std::{fs::File, io::Write as _, sync::Arc};

    use crate::{
        sys::pipe,
        telemetry::{Reader, Telemetry},
    };

    let (reader, writer) = pipe::new_pipe().expect("a pipe");
    pipe::do_not_wait(&reader).expect("it can be set");
    let (pipe, mut writer) = (Arc::new(File::from(reader)), File::from(writer));
    let telemetry = Telemetry::to_caller();
    let mut reader = Reader::new(Some(&pipe), "worker", &telemetry);
    let (piece, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    for piece in bytes.chunks(usize::from(*piece) + 1) {
        writer.write_all(piece).expect("the pipe is empty");
        let _ = reader.read(|_| None);
    }
    reader.finish();
    while telemetry.deliver() {}
}

impl Harness {
    fn new(transport: Transport) -> Harness {
        let state = State::new(Limits::default(), "pool", 1, std::sync::Arc::default());
        let open_before = open_descriptors();
        let (link, outbox) = HostileLink::new(transport);
        let program = Program::default();
        let mut harness = Harness { transport, state, link, program, now: Instant::now(), open_before };
        harness.attach(outbox);
        harness
    }

    fn attach(&mut self, outbox: Box<dyn crate::transport::Outbox>) {
        let worker = self.state.attach(SLOT, Process::nonexistent(), outbox);
        worker.set_stage(Stage::Ready);
        worker.set_depth(16);
        self.state.open_channel(SLOT, self.link.channel.clone());
    }

    /// Returns one of the tasks that the worker has, or a number that no task has.
    fn choose_task(&self, choice: u8) -> Assignment {
        let worker = self.state.worker(SLOT).expect("a worker");
        let tasks = worker.in_flight();
        let task = tasks.get(usize::from(choice) % tasks.len().max(1));
        Assignment { slot: SLOT, sequence: task.map_or(1, |task| task.sequence) }
    }

    fn run_step(&mut self, step: Step<'_>) -> Link {
        match step {
            Step::WriteWord { offset, value } => self.link.write_word(offset, |_| value),
            Step::AddToWord { offset, delta } => self.link.write_word(offset, |word| word.wrapping_add(delta)),
            Step::WriteClaim { task, item, state } => {
                let sequence = self.choose_task(task).sequence;
                self.link.write_claim(sequence, item.into(), state.into());
            }
            Step::SendFrame(frame) => self.send_frame(&frame),
            Step::SendBytes(bytes) => self.link.send(bytes),
            Step::SendRepeated { byte, count } => self.link.send(&vec![byte; count]),
            Step::SendDescriptors { count } => self.link.send_descriptors(count.into()),
            Step::RingDoorbell(bytes) => self.link.ring(bytes),
            Step::TakeRequests => {
                self.link.take_requests();
                return self.read();
            }
            Step::Read => return self.read(),
            Step::Submit { kind, has_limit } => {
                if self.program.tasks() < MOST_TASKS {
                    self.submit(kind, has_limit);
                }
            }
            Step::Cancel { task } => {
                let cancelled = self.state.cancel_assigned(self.choose_task(task), self.now);
                if let Some((completed, deferred)) = cancelled {
                    perform(deferred);
                    drop(completed);
                }
            }
            Step::Terminate { task, grace } => {
                let (_, deferred) = self.state.terminate(self.choose_task(task), grace, self.now);
                perform(deferred);
            }
            Step::Pass(time) => return self.pass(time),
            Step::Die => return Link::Broken,
        }
        Link::Open
    }

    fn send_frame(&mut self, frame: &Frame<'_>) {
        let sequence = frame.sequence.unwrap_or_else(|| self.choose_task(frame.task).sequence);
        let mut bytes = u32::from(frame.kind).to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&sequence.to_le_bytes());
        bytes.extend_from_slice(&frame.announced.unwrap_or(frame.body.len() as u64).to_le_bytes());
        bytes.extend_from_slice(frame.body);
        self.link.send(&bytes);
    }

    fn submit(&mut self, kind: u8, has_limit: bool) {
        for task in self.program.submit(kind, has_limit) {
            let job = Job::new(task, None).expect("written");
            let now = self.now;
            if let Enqueued::Dispatched(deferred) = self.state.enqueue(job, || now) {
                perform(deferred);
            }
        }
    }

    /// Reads all that has arrived, as the supervisor does at a doorbell.
    fn read(&mut self) -> Link {
        const ROUNDS: usize = 16;
        assert!(self.link.reader.drain_doorbell() == OnDoorbell::Read, "no other thread reads");
        for _ in 0..ROUNDS {
            match self.receive() {
                Ok(0) => {
                    let (_, deferred) = self.state.send_rest(SLOT, true, self.now);
                    perform(deferred);
                    if self.link.reader.arm() == Armed::Yes {
                        return Link::Open;
                    }
                }
                Ok(_) if self.link.reader.is_closed() => return self.declare_broken(),
                Ok(_) => {}
                Err(error) => {
                    let known =
                        [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
                    assert!(known.contains(&error.kind()), "{error}");
                    return self.declare_broken();
                }
            }
        }
        Link::Open
    }

    /// Reads once, and applies the replies. Returns how many bytes have arrived.
    fn receive(&mut self) -> io::Result<usize> {
        let bytes = self.link.reader.fill()?;
        if bytes > 0 {
            let received = self.state.on_replies(SLOT, &mut self.link.reader, bytes, self.now);
            if let Some(error) = &received.declined {
                drop(error.to_string());
            }
            let (held, sent) = (self.link.reader.memory_held(), self.link.sent);
            assert!(held <= 3 * sent + (2 << 20), "{held} bytes are held of {sent}");
            perform(received.deferred);
        }
        Ok(bytes)
    }

    fn declare_broken(&mut self) -> Link {
        self.state.worker_mut(SLOT).expect("a worker").stop_assigning();
        Link::Broken
    }

    /// Lets time pass, and handles the timers that become due, as the supervisor does.
    fn pass(&mut self, time: Duration) -> Link {
        self.now += time;
        while let Some(timer) = self.state.timers.due(self.now) {
            if timer.slot_to_read().is_some() && self.read() == Link::Broken {
                return Link::Broken;
            }
            let is_in_a_reply = self.link.reader.is_in_a_reply();
            perform(self.state.on_timer(timer, is_in_a_reply, self.now));
        }
        Link::Open
    }

    /// Lets the worker die, and puts another one into its slot. The bytes that it sent before its death are still read.
    fn replace_worker(&mut self) {
        const ROUNDS: usize = 16;
        let dying = self.state.begin_death(SLOT).expect("a worker");
        for _ in 0..ROUNDS {
            if self.link.reader.is_closed() || !self.receive().is_ok_and(|bytes| bytes > 0) {
                break;
            }
        }
        let ended = EndedProcess {
            pid: dying.process.number(),
            status: None,
            signs: Signs::default(),
            stderr_tail: String::new(),
            out_of_memory: false,
        };
        let (_, deferred) = self.state.on_death(SLOT, ended, self.now).expect("a worker");
        perform(deferred);
        let (link, outbox) = HostileLink::new(self.transport);
        self.link = link;
        self.attach(outbox);
        perform(self.state.dispatch(self.now));
    }

    /// Ends everything that is still open, and checks that every future has an outcome.
    fn end(mut self) {
        perform(self.state.collapse(&Error::new(ErrorKind::Broken, "the pool has ended")));
        self.program.check_outcomes();
        let Harness { state, link, open_before, .. } = self;
        drop((state, link));
        assert_eq!(open_descriptors(), open_before, "descriptors of the worker are left");
    }
}

/// Performs deferred actions of a state transition in this thread.
fn perform(deferred: Deferred) {
    deferred.completions.into_iter().for_each(|completion| drop(completion.complete()));
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
