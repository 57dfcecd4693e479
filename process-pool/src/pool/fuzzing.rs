//! The parent's end of a link against whatever a worker may do, for the fuzz targets; see `fuzz/README.md`.
//!
//! The bytes of the fuzzer are a play: what the worker writes where, what it says, and what the program asks of the
//! pool meanwhile. The links, the replies, the places and the tasks are the real ones; the processes are not there.

use std::{
    io,
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{Backend, Error, ErrorKind, Executor, Future, Map, MapOptions, Shutdown, Task, TaskOptions};
use parking_lot::Mutex;
use rustix::net::{RecvFlags, SendFlags};

use super::{Aftermath, Answer, Ending, Job, Leftovers, Limits, Reached, Stage, State, Unit};
use crate::{
    Transport,
    frame::{Replies, ReplyKind},
    process::Process,
    start::{setup::Setup, spawn::socketpair},
    transport::{Inbox, Outbox, ring, socket},
};

/// What is left of the play.
struct Play<'a>(&'a [u8]);

impl<'a> Play<'a> {
    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    fn small(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number of one of the kinds that break arithmetic.
    fn word(&mut self) -> u64 {
        match self.byte() % 6 {
            0 => u64::from(self.byte()),
            1 => u64::MAX - u64::from(self.byte()),
            2 => 1 << (self.byte() % 64),
            3 => (1 << (self.byte() % 64)) - 1,
            4 => u64::from(self.small()),
            _ => self.bytes(8).iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        }
    }

    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Keeps what is submitted.
#[derive(Default)]
struct Catch(Mutex<Vec<Task>>);

impl Backend for Catch {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.0.lock().push(task);
        Ok(())
    }

    fn close(&self, _: Shutdown) {}

    fn join(&self, _: Option<Duration>) -> bool {
        true
    }

    fn max_workers(&self) -> usize {
        1
    }
}

/// What waits for results, and reads them.
enum Waits {
    Number(Future<u32>),
    Text(Future<String>),
    Bytes(Future<Vec<u8>>),
    Nested(Future<Vec<Result<Option<String>, Error>>>),
    Items(Box<Map<String>>),
}

/// One worker of a pool without processes.
struct Stand {
    state: State,
    link: Link,
    waits: Vec<Waits>,
    catch: Catch,
    now: Instant,
    leftovers: Leftovers,
}

struct Link {
    inbox: Box<dyn Inbox>,
    replies: Replies,
    /// The worker's hands.
    memory: Option<ring::fuzzing::Hand>,
    socket: OwnedFd,
    /// How many bytes the worker has said.
    said: usize,
    is_over: bool,
}

impl Link {
    fn new(transport: Transport) -> (Link, Box<dyn Outbox>) {
        let (parent, worker) = socketpair().expect("a socketpair");
        let parent = Arc::new(parent);
        let (memory, outbox, inbox): (_, Box<dyn Outbox>, Box<dyn Inbox>) = match transport {
            Transport::Ring => {
                let (_, memory) = ring::create().expect("shared memory");
                let hand = memory.hand();
                let (outbox, inbox) = memory.parent_ends(parent);
                (Some(hand), Box::new(outbox), Box::new(inbox))
            }
            Transport::Socket => {
                let (outbox, inbox) = socket::parent_ends(parent);
                (None, Box::new(outbox), Box::new(inbox))
            }
        };
        let replies = Replies::default();
        (Link { inbox, replies, memory, socket: worker, said: 0, is_over: false }, outbox)
    }

    /// The worker says something, where the parent reads replies.
    fn say(&mut self, bytes: &[u8]) {
        self.said += bytes.len();
        match &self.memory {
            Some(memory) => memory.put(bytes),
            None => self.ring(bytes),
        }
    }

    fn ring(&self, bytes: &[u8]) {
        let _ = rustix::net::send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}

impl Stand {
    fn new(transport: Transport) -> Stand {
        let state = State::new(Limits::default(), vec![Unit::new("unit".into())]);
        let (link, outbox) = Link::new(transport);
        let (catch, leftovers) = (Catch::default(), Leftovers::default());
        let mut stand = Stand { state, link, waits: Vec::new(), catch, now: Instant::now(), leftovers };
        stand.move_in(outbox);
        stand
    }

    fn move_in(&mut self, outbox: Box<dyn Outbox>) {
        let unit = &mut self.state.units[0];
        unit.occupy(Process::nobody(), outbox);
        unit.stage = Stage::Ready;
        unit.depth = 16;
    }

    fn submit(&mut self, kind: u8, limit: bool) {
        let catch = &self.catch;
        let mut options = TaskOptions::new().retries(u32::from(kind >> 6));
        if limit {
            options = options.time_limit(Duration::from_millis(u64::from(kind)));
        }
        self.waits.push(match kind % 16 {
            0..=4 => Waits::Number(catch.submit_with(options, |n: u32| n, 1).expect("caught")),
            5..=8 => Waits::Text(catch.submit_with(options, |text: String| text, "text".into()).expect("caught")),
            // More than the ring holds: it stays on its way.
            9 => Waits::Bytes(catch.submit_with(options, |bytes: Vec<u8>| bytes, vec![1; 300_000]).expect("caught")),
            10 | 11 => Waits::Nested(catch.submit_with(options, |()| Vec::new(), ()).expect("caught")),
            _ => {
                let options = MapOptions::new().chunksize(usize::from(kind >> 4) + 2);
                Waits::Items(Box::new(catch.map_with(options, |n: u32| n.to_string(), 0..20_u32).expect("caught")))
            }
        });
        for task in self.catch.0.lock().drain(..) {
            self.state.queue.push_back(Job::new(task, None).expect("written"));
        }
        self.dispatch();
    }

    fn dispatch(&mut self) {
        self.state.dispatch(self.now, &mut self.leftovers);
        drop(std::mem::take(&mut self.leftovers));
    }

    /// As the supervisor's.
    fn listen(&mut self) {
        const ROUNDS: usize = 16;
        self.link.inbox.hush();
        for _ in 0..ROUNDS {
            let (into, most) = self.link.replies.space();
            match self.link.inbox.receive(into, most) {
                Ok(0) => {
                    let unit = &mut self.state.units[0];
                    while unit.pump() && unit.want_room() {}
                    self.dispatch();
                    if self.link.inbox.arm() {
                        return;
                    }
                }
                Ok(_) => self.understand(),
                Err(error) => {
                    let known =
                        [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
                    assert!(known.contains(&error.kind()), "{error}");
                    return self.give_up();
                }
            }
        }
    }

    fn understand(&mut self) {
        let mut endings = Vec::new();
        loop {
            let unit = &mut self.state.units[0];
            match self.link.replies.cut() {
                Ok(None) => break,
                Ok(Some((reply, body))) => match reply.kind {
                    ReplyKind::Ready => unit.was_ready = true,
                    ReplyKind::NotReady if !unit.was_ready => drop(Error::decode(&body).to_string()),
                    ReplyKind::NotReady => {
                        self.give_up();
                        break;
                    }
                    kind if !unit.expects(kind == ReplyKind::Outcomes) => {
                        self.give_up();
                        break;
                    }
                    ReplyKind::Outcome | ReplyKind::Outcomes => match unit.answered(reply.sequence, body, self.now) {
                        Some(Answer::Whole(job, reply)) => endings.push(Ending::Reply(job.task, reply)),
                        Some(Answer::Part) => {}
                        None => {
                            self.give_up();
                            break;
                        }
                    },
                },
                Err(_) => {
                    self.give_up();
                    break;
                }
            }
        }
        if let Some(begun) = self.link.replies.begun()
            && let Some(memory) = self.state.units[0].spare_memory(begun.sequence, begun.body)
        {
            self.link.replies.lend(memory);
        }
        let held = self.link.replies.capacity();
        assert!(held <= 3 * self.link.said + (2 << 20), "{held} bytes are held of {}", self.link.said);
        if !endings.is_empty() {
            self.state.adapt_depth(0, endings.len(), Duration::from_micros(10), false);
        }
        settle(endings);
        self.dispatch();
    }

    fn give_up(&mut self) {
        self.state.units[0].shun();
        self.link.is_over = true;
    }

    /// The process has ended, and another takes its place.
    fn bury_and_replace(&mut self, transport: Transport) {
        let verdict = self.state.units[0].verdict.take();
        for (at, (flight, reached)) in self.state.units[0].vacate().into_iter().enumerate() {
            let (error, job) = (Error::new(ErrorKind::WorkerDied, "it has died"), flight.job);
            let aftermath = match verdict.as_ref().filter(|verdict| verdict.sequence == flight.sequence) {
                Some(verdict) => job.ended_under(verdict.error.clone(), false),
                None if reached == Reached::Started => job.ended_under(error, true),
                None if at == 0 => job.next_under(reached == Reached::Begun, error),
                None => Aftermath::Again(job),
            };
            match aftermath {
                Aftermath::Over(ending) => settle(vec![ending]),
                Aftermath::Again(job) => self.state.take_in_again(job),
            }
        }
        let (link, outbox) = Link::new(transport);
        self.link = link;
        self.move_in(outbox);
        self.dispatch();
    }

    /// Everything that is still open ends, and everybody gets an answer.
    fn end(mut self) {
        let reason = Error::new(ErrorKind::Broken, "it is over");
        settle(self.state.break_down(&reason));
        let lost = self.state.units[0].vacate();
        settle(lost.into_iter().map(|(flight, _)| flight.job.given_up(Some(&reason))).collect());
        fn look<T: Send + 'static>(future: &Future<T>) {
            assert!(future.done(), "a future is lost");
            if let Err(error) = future.result(Duration::ZERO) {
                let _ = format!("{error} {error:?} {:?} {:?}", error.panic(), error.worker_death());
            }
        }
        for waits in self.waits {
            match waits {
                Waits::Number(future) => look(&future),
                Waits::Text(future) => look(&future),
                Waits::Bytes(future) => look(&future),
                Waits::Nested(future) => look(&future),
                Waits::Items(map) => assert!(map.count() <= 21),
            }
        }
    }
}

fn settle(endings: Vec<Ending>) {
    endings.into_iter().for_each(|ending| drop(ending.settle()));
}

/// Plays one play against the parent.
pub fn parent(transport: Transport, bytes: &[u8]) {
    let mut play = Play(bytes);
    let mut stand = Stand::new(transport);
    stand.submit(0, false);
    while !play.0.is_empty() {
        step(&mut stand, &mut play, transport);
        if stand.link.is_over {
            stand.bury_and_replace(transport);
        }
    }
    stand.listen();
    stand.end();
}

fn step(stand: &mut Stand, play: &mut Play<'_>, transport: Transport) {
    let flights: Vec<u64> = stand.state.units[0].flights().iter().map(|flight| flight.sequence).collect();
    let some_flight = |play: &mut Play<'_>| {
        let at = usize::from(play.byte()) % flights.len().max(1);
        flights.get(at).copied().unwrap_or(1)
    };
    match play.byte() % 20 {
        0 | 1 => {
            let (place, value) = (ring::fuzzing::Hand::place(play.byte(), play.small()), play.word());
            if let Some(memory) = &stand.link.memory {
                memory.store(place & !7, value);
            }
        }
        2 => {
            let (place, delta) = (ring::fuzzing::Hand::place(play.byte() % 10, 0), play.word());
            if let Some(memory) = &stand.link.memory {
                memory.store(place & !7, memory.load(place & !7).wrapping_add(delta));
            }
        }
        3 | 4 => {
            let (sequence, item, state) = (some_flight(play), u64::from(play.byte()), u64::from(play.byte() % 16));
            if let Some(memory) = &stand.link.memory {
                let (place, word) = ring::fuzzing::Hand::claim(sequence, item, state);
                memory.store(place, word);
            }
        }
        5..=8 => {
            // A frame, of which this and that may be a lie.
            let lies = play.byte();
            let kind = if lies & 1 == 0 { 3 } else { play.byte() };
            let sequence = if lies & 2 == 0 { some_flight(play) } else { play.word() };
            let length = usize::from(if lies & 4 == 0 { play.byte() } else { play.byte() % 4 });
            let body = play.bytes(length);
            let announced = if lies & 8 == 0 { body.len() as u64 } else { play.word() };
            let mut frame = u32::from(kind).to_le_bytes().to_vec();
            frame.extend_from_slice(&[0; 4]);
            frame.extend_from_slice(&sequence.to_le_bytes());
            frame.extend_from_slice(&announced.to_le_bytes());
            frame.extend_from_slice(body);
            stand.link.say(&frame);
        }
        9 => {
            let length = usize::from(play.small());
            stand.link.say(play.bytes(length));
        }
        10 => {
            // More of the same than any buffer holds.
            let (byte, length) = (play.byte(), usize::from(play.small()) * 8);
            stand.link.say(&vec![byte; length]);
        }
        11 => stand.link.ring(play.bytes(16)),
        12 | 13 => stand.listen(),
        14 => {
            let (kind, limit) = (play.byte(), play.byte() % 2 == 0);
            if stand.waits.len() < 40 {
                stand.submit(kind, limit);
            }
        }
        15 => {
            let sequence = some_flight(play);
            let withdrawn = stand.state.units[0].withdraw(sequence, true);
            settle(withdrawn.into_iter().map(|job| job.given_up(None)).collect());
        }
        16 => {
            let (sequence, grace) = (some_flight(play), Duration::from_millis(u64::from(play.byte() % 2)));
            stand.state.terminate(0, sequence, grace);
            stand.dispatch();
        }
        17 => {
            stand.now += Duration::from_millis(u64::from(play.byte()));
            let replies = stand.link.replies.is_in_a_reply();
            stand.state.check_limits(0, stand.now, replies, &mut stand.leftovers);
            stand.state.check_stall(0, stand.now, &mut stand.leftovers);
            stand.dispatch();
        }
        18 => {
            if let Some(memory) = &stand.link.memory {
                memory.take_all();
            } else {
                let _ = rustix::net::recv(&stand.link.socket, &mut vec![0; 1 << 16], RecvFlags::DONTWAIT);
            }
            stand.listen();
        }
        _ => stand.bury_and_replace(transport),
    }
}

/// Plays one greeting against whoever takes it.
pub fn greeting(bytes: &[u8]) {
    let (parent, worker) = socketpair().expect("a socketpair");
    let token = bytes.get(8..16).and_then(|token| token.try_into().ok()).map_or(0, u64::from_le_bytes);
    let copy = bytes.get(52..60).and_then(|copy| copy.try_into().ok()).map_or(0, u64::from_le_bytes);
    let _ = rustix::net::send(&parent, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    drop(parent);
    let is_waiting = Setup::is_waiting(&worker, token, copy);
    if let Ok((setup, memory)) = Setup::receive(std::os::fd::AsFd::as_fd(&worker)) {
        assert!(is_waiting && setup.token == token && memory.is_none());
    }
}
