//! The worker's loop.

use std::{
    borrow::Cow,
    ffi::OsStr,
    io::{self, Write as _},
    iter,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
    sync::Arc,
};

use executor_core::{
    Error, ErrorKind, TaskId,
    codec::{
        Words, accept_words,
        handles::{self, Handles},
    },
    confinement, fork,
    function::{Address, BuildId, Entry, batch, outcome},
    host::HostId,
    task::{self, Remote},
};

use super::{
    batch::RunningBatch,
    boundary::Boundary,
    buffers,
    descriptors::{self, Descriptors, Place},
    end::{end_copy, end_group, fail_to_start, lose_link},
    functions::Functions,
    lifeline,
    marks::Marks,
    name, overflow,
    report::{report, set_report},
};
use crate::{
    frame::{Reply, ReplyKind, Request, RequestKind},
    process,
    sandbox::{Jail, Rules},
    start::{
        initialisers, rights,
        setup::{Role, Setup},
    },
    sys::{
        children::{self, Reaper},
        control_group, limits, signals, standard, terminal, termination,
    },
    telemetry::Forwarding,
    transport::{self, Port},
};

/// The exit code of a process whose function has panicked, as in Python.
const EXIT_PANICKED: i32 = 1;

/// From this length on, an argument that is a vector of numbers is read into the memory of such a vector.
const LARGE: usize = 4096;

/// Children that have ended are reaped after this many tasks. A system call after each would cost as much as a task.
const REAP_EVERY: u64 = 256;

/// Serves the parent at the other end of this socket, and never returns. `group` is the control group to join.
pub(crate) fn serve(socket: OwnedFd, group: Option<&OsStr>) -> ! {
    let socket = Arc::new(socket);
    match start(&socket, group) {
        Ok(mut worker) => {
            let result = worker.run();
            if result.is_ok() {
                // The end of the process does not drop what belongs to this thread.
                task::drop_worker_locals();
            }
            leave(result.map(|()| worker.exit_code))
        }
        Err(error) => fail_to_start(&error),
    }
}

/// Ends the process in the way that fits the result of the loop.
fn leave(result: io::Result<i32>) -> ! {
    match result {
        // This flushes the output of tasks on the standard output.
        Ok(code) => std::process::exit(code),
        // The parent is gone or has declared this worker broken, or a task has closed the link.
        Err(error) => lose_link(&error),
    }
}

/// The state of this worker process.
struct Worker {
    port: Box<dyn Port>,
    descriptors: Descriptors,
    setup: Setup,
    /// Identifies this process: a task may fork, and then its child may also return from the task.
    generation: fork::Generation,
    /// The functions, or `None` if the parent runs another build.
    functions: Option<Functions>,
    /// Reused from task to task, as are `body` and `reply`.
    spare: Option<Arc<Remote>>,
    body: Vec<u8>,
    reply: Vec<u8>,
    /// The argument, if it is a large vector of numbers. `body` is empty then.
    argument: Option<Words>,
    /// The numbers of a large outcome. What `reply` holds comes after them. Afterwards their memory is reused.
    numbers: Option<Words>,
    reaper: Reaper,
    boundary: Boundary,
    /// What marks its output, if the parent hands over its lines.
    marks: Option<Marks>,
    /// What sends events of tasks, if the program wants any.
    telemetry: Forwarding,
    /// The exit code with which it leaves.
    exit_code: i32,
    jail: Option<Jail>,
}

fn start(socket: &Arc<OwnedFd>, group: Option<&OsStr>) -> io::Result<Worker> {
    signals::reset();
    children::adopt()?;
    overflow::watch();
    let (setup, attached) = Setup::receive(socket.as_fd())?;
    rights::check_worker(&setup.rights)?;
    if setup.role == Role::Worker {
        termination::survive_unless_from_parent();
    }
    signals::unblock();
    if let Some(group) = group {
        control_group::join(Path::new(group));
    }
    // A worker is in a process group of its own, so on the terminal of its parent it would be a background job. A task
    // that reads the terminal, or a program that a task starts (a password prompt of `ssh` or `git`), would be stopped
    // by `SIGTTIN` or `SIGTTOU` forever. Without a controlling terminal `/dev/tty` cannot be opened, and such programs
    // report that. Output to the terminal still works. The parent and its session keep the terminal. A worker leads its
    // process group but not its session, as `leave` requires.
    terminal::leave();
    name::set(&setup.name);
    process::set_own(&setup);
    let missing = || io::Error::new(io::ErrorKind::InvalidData, "no channel for descriptors arrived with the greeting");
    let channel = attached.channel.ok_or_else(missing)?;
    if let Some(input) = attached.input {
        standard::set_input(&input)?;
    }
    let (port, report) = transport::attach(setup.transport, socket.clone(), attached.memory)?;
    if let Some(report) = report {
        set_report(report);
    }
    let jail = Rules::decode(&setup.sandbox).map_err(io::Error::other)?;
    let own: Vec<i32> = iter::once(&**socket).chain(&attached.telemetry).map(AsRawFd::as_raw_fd).collect();
    let jail = jail.map(|rules| Jail::enter(rules, &own, channel.as_raw_fd())).transpose()?;
    lifeline::start(socket.clone(), setup.parent)?;
    if let Some(wanted) = setup.core_dumps {
        limits::limit_core_dumps(wanted)?;
    }
    if setup.memory_limit > 0 {
        limits::limit_memory(setup.memory_limit)?;
    }
    let functions = Functions::of_parent(setup.build);
    let marks = Marks::to(setup.marks, setup.token)?;
    let telemetry = Forwarding::to(attached.telemetry, setup.levels);
    let is_process = setup.role != Role::Worker;
    Ok(Worker {
        port,
        descriptors: Descriptors::of(channel),
        setup,
        generation: fork::generation(),
        functions,
        spare: None,
        body: Vec::new(),
        reply: Vec::new(),
        argument: None,
        numbers: None,
        reaper: Reaper::new(),
        marks,
        telemetry,
        boundary: if is_process { Boundary::none() } else { Boundary::new() },
        exit_code: 0,
        jail,
    })
}

/// The worker's next step after a request.
enum Next {
    Continue,
    Leave,
}

impl Worker {
    fn run(&mut self) -> io::Result<()> {
        let _entered = task::enter_worker(self.setup.name.as_str(), HostId::NONE);
        handles::carry_results();
        if self.functions.is_none() {
            let message = format!(
                "the worker runs build {}, and its parent {}: the program was replaced while it ran; restart it",
                BuildId::own(),
                self.setup.build
            );
            return self.refuse(&Error::new(ErrorKind::Broken, message));
        }
        if let Some(report) = report() {
            report.note_serving();
        }
        if self.jail.as_ref().is_some_and(Jail::locks_before_initializer) && !self.lock()? {
            return Ok(());
        }
        initialisers::run_rest();
        if !self.setup.initializes && !self.become_ready()? {
            return Ok(());
        }
        loop {
            if let Next::Leave = self.serve_one()? {
                return Ok(());
            }
        }
    }

    fn serve_one(&mut self) -> io::Result<Next> {
        let mut head = [0; Request::SIZE];
        self.port.read(&mut head)?;
        let request = Request::read(&head).ok_or(io::ErrorKind::InvalidData)?;
        let mut name = Vec::new();
        if request.name > 0 {
            self.port.read_to(&mut name, length(request.name.into())?)?;
        }
        let body = length(request.body)?;
        let may_be_numbers = body >= LARGE && request.batch == 0 && request.kind.is_task();
        if !may_be_numbers || !self.read_numbers(request.function, body)? {
            buffers::reserve(&mut self.body, body);
            self.port.read_to(&mut self.body, body)?;
        }
        match request.kind {
            RequestKind::Retire => Ok(Next::Leave),
            // The task has seen the request before it was read here, or had ended before it arrived.
            RequestKind::Stop => Ok(Next::Continue),
            RequestKind::Initialize => self.initialize(request),
            RequestKind::Adopt => self.descriptors.adopt(&self.body, &mut *self.port).map(|()| Next::Continue),
            RequestKind::Forget => descriptors::forget(&self.body).map(|()| Next::Continue),
            RequestKind::Run | RequestKind::RunTimed => {
                if request.kind == RequestKind::RunTimed {
                    // Before the start, so that the parent never sees this task run with the time of another.
                    self.port.note_time();
                }
                if self.port.start(request.sequence)? {
                    // An empty name stands for the function's own, which is the usual case.
                    let name = if name.is_empty() { Cow::Borrowed("") } else { String::from_utf8_lossy(&name) };
                    self.run_task(request, &name)?;
                    if self.setup.role != Role::Worker {
                        self.note_outcome();
                        return Ok(Next::Leave);
                    }
                } else {
                    // The next task must not find the argument of one that was withdrawn.
                    self.argument = None;
                }
                if request.sequence % REAP_EVERY == 0 {
                    self.reaper.reap();
                }
                buffers::recycle(&mut self.body, &mut self.reply);
                if self.numbers.is_some() {
                    buffers::recycle_numbers(&mut self.numbers);
                }
                Ok(Next::Continue)
            }
        }
    }

    /// Reads an argument that is a vector of numbers into the memory of such a vector. Returns `false`, and reads
    /// nothing, if it is something else.
    #[cold]
    fn read_numbers(&mut self, function: Address, length: usize) -> io::Result<bool> {
        // A function that does not exist is reported once the task has started.
        let size = self.entry(function).ok().and_then(Entry::argument_words);
        let Some(mut words) = size.and_then(|size| buffers::numbers(self.numbers.take(), size, length)) else {
            return Ok(false);
        };
        self.port.read(&mut words.room()[..length])?;
        words.advance(length);
        self.body.clear();
        self.argument = Some(words);
        Ok(true)
    }

    #[cold]
    #[inline(never)]
    fn initialize(&mut self, request: Request) -> io::Result<Next> {
        let entry = match self.entry(request.function) {
            Ok(entry) => entry,
            Err(error) => return self.refuse(&error).map(|()| Next::Leave),
        };
        let remote = Remote {
            id: TaskId::from_u64(0),
            name: format!("initializer {}", entry.name()).into(),
            attempt: 1,
            stop: Arc::new(|_| false),
            number: 0,
        };
        self.reply.clear();
        let (body, reply) = (&mut self.body, &mut self.reply);
        self.telemetry.during_initializer(|| task::run_remote(Arc::new(remote), || entry.call_taking(body, reply)));
        // Its result is not sent.
        drop(handles::take_results());
        if outcome::is_error(&self.reply) {
            // The body of the reply is the error alone, without the byte that marks it as one.
            self.reply.pop();
            let error = Error::decode(&self.reply);
            return self.refuse(&error).map(|()| Next::Leave);
        }
        if !self.become_ready()? {
            return Ok(Next::Leave);
        }
        buffers::recycle(&mut self.body, &mut self.reply);
        Ok(Next::Continue)
    }

    /// Tells the parent that this worker takes tasks, once it is locked in its sandbox. Returns `false` if it cannot
    /// be.
    #[cold]
    #[inline(never)]
    fn become_ready(&mut self) -> io::Result<bool> {
        self.telemetry.install();
        if self.jail.as_ref().is_some_and(|jail| !jail.locks_before_initializer()) && !self.lock()? {
            return Ok(false);
        }
        self.reply.clear();
        if let Some(jail) = &self.jail {
            jail.report(&mut self.reply).map_err(io::Error::other)?;
        }
        self.boundary.note();
        self.send_reply(ReplyKind::Ready, 0).map(|()| true)
    }

    /// Locks every thread of this process. If that is not possible, tells the parent and returns `false`.
    #[cold]
    fn lock(&mut self) -> io::Result<bool> {
        let Some(jail) = &mut self.jail else { return Ok(true) };
        let Err(cause) = jail.lock() else {
            confinement::enter();
            return Ok(true);
        };
        let message = format!("it could not be locked in its sandbox: {cause}");
        self.refuse(&Error::new(ErrorKind::Broken, message)).map(|()| false)
    }

    #[inline]
    fn run_task(&mut self, request: Request, name: &str) -> io::Result<()> {
        let sequence = request.sequence;
        let found = self.entry(request.function);
        let name = match (&found, name) {
            (Ok(entry), "") => Cow::Borrowed(entry.name()),
            (_, name) => Cow::Owned(name.to_string()),
        };
        if let Some(marks) = &mut self.marks {
            marks.begin(request.task, &name);
        }
        self.telemetry.begin_task(request.sequence);
        let remote = self.remote(&request, name);
        if request.batch == 0 {
            self.reply.clear();
            self.boundary.begin();
            match found {
                Ok(entry) => {
                    let (body, argument) = (&mut self.body, &mut self.argument);
                    let (_, moved) = accept_words(&mut self.reply, |reply| {
                        task::run_remote(remote.clone(), || match argument {
                            None => entry.call_taking(body, reply),
                            Some(_) => call_on_numbers(entry, argument, reply),
                        })
                    });
                    // Otherwise it is the empty memory of an earlier outcome.
                    if moved.is_some() {
                        self.numbers = moved;
                    }
                }
                Err(error) => outcome::write_error(&error, &mut self.reply),
            }
            self.boundary.end();
            end_copy(self.generation);
            self.telemetry.end_task();
            if let Some(marks) = &mut self.marks {
                marks.end();
            }
            if !self.port.finish(sequence, 0) {
                // The task was condemned while it ran, has reached its end nevertheless, and must not report it.
                end_group();
            }
            let handles = handles::take_results();
            if !handles.is_empty() {
                self.send_handles(&handles, sequence)?;
            }
            self.send_reply(ReplyKind::Outcome, sequence)?;
            // The caller already has the outcome, so this delays nothing.
            self.boundary.note_if_written();
        } else {
            self.run_batch(request, found, &remote)?;
            self.telemetry.end_task();
            if let Some(marks) = &mut self.marks {
                marks.end();
            }
        }
        self.spare = Some(remote);
        Ok(())
    }

    /// Makes this process, which is not the worker of a pool, end with an exit code that shows how its function has
    /// ended. A panic is also printed, because nothing may ever ask for the result.
    #[cold]
    fn note_outcome(&mut self) {
        if !outcome::is_error(&self.reply) {
            return;
        }
        self.exit_code = EXIT_PANICKED;
        let error = Error::decode(&self.reply[..self.reply.len() - 1]);
        // Not `eprintln`, which panics if the standard error is closed.
        let _ = writeln!(io::stderr(), "process `{}`: {error}", self.setup.name);
    }

    /// Sends the handles of the outcome. If that is not possible, an error becomes the outcome.
    #[cold]
    fn send_handles(&mut self, handles: &Handles, sequence: u64) -> io::Result<()> {
        if let Err(error) = self.descriptors.send(handles, &mut *self.port, Place::BeforeOutcome(sequence))? {
            self.reply.clear();
            self.numbers = None;
            outcome::write_error(&error, &mut self.reply);
        }
        Ok(())
    }

    #[inline]
    fn entry(&mut self, address: Address) -> Result<&'static Entry, Error> {
        let Some(functions) = &mut self.functions else {
            return Err(Error::new(ErrorKind::Decode, "the worker runs another build than its parent"));
        };
        functions.find(address)
    }

    /// Returns the object through which the task can query its own state. The last one is reused unless a task has kept
    /// it.
    #[inline]
    fn remote(&mut self, request: &Request, name: Cow<'static, str>) -> Arc<Remote> {
        let (id, attempt, number) = (TaskId::from_u64(request.task), request.attempt, request.sequence);
        if let Some(mut spare) = self.spare.take() {
            if let Some(remote) = Arc::get_mut(&mut spare) {
                (remote.id, remote.name, remote.attempt, remote.number) = (id, name, attempt, number);
                return spare;
            }
        }
        Arc::new(Remote { id, name, attempt, stop: self.port.stop_probe(), number })
    }

    fn run_batch(
        &mut self,
        request: Request,
        found: Result<&'static Entry, Error>,
        remote: &Arc<Remote>,
    ) -> io::Result<()> {
        let body = std::mem::take(&mut self.body);
        let mut arguments = batch::records(&body);
        let (port, descriptors) = (&mut *self.port, &self.descriptors);
        let mut batch = RunningBatch::begin(port, descriptors, &mut self.boundary, self.generation, &request, remote)?;
        if let Ok(entry) = found {
            task::run_remote(remote.clone(), || entry.call_each(&mut arguments, &mut |record| batch.end_item(record)));
        }
        // The outcomes of the items that must not be called, each with its own reason.
        let mut record = Vec::new();
        while batch.is_open() {
            let error = match (arguments.next(), &found) {
                (None, _) => Error::new(ErrorKind::Decode, "an item of a batch did not arrive"),
                (Some(_), Err(error)) => error.clone(),
                (Some(_), Ok(_)) => Error::new(ErrorKind::Cancelled, "the map that this item belongs to was dropped"),
            };
            record.clear();
            batch::write_record(&mut record, |outcome| outcome::write_error(&error, outcome));
            batch.end_item(&record);
        }
        let ended = batch.result;
        self.boundary.end();
        self.boundary.note_if_written();
        self.body = body;
        ended
    }

    /// Tells the parent that this worker cannot serve, and why. The worker then leaves.
    fn refuse(&mut self, error: &Error) -> io::Result<()> {
        self.reply.clear();
        error.encode(&mut self.reply);
        self.send_reply(ReplyKind::NotReady, 0)
    }

    /// Sends the contents of `self.reply`, and wakes the parent.
    #[inline]
    fn send_reply(&mut self, kind: ReplyKind, sequence: u64) -> io::Result<()> {
        self.put(kind, sequence)?;
        self.port.ring_doorbell()
    }

    #[inline]
    fn put(&mut self, kind: ReplyKind, sequence: u64) -> io::Result<()> {
        if self.numbers.is_some() {
            return self.put_numbers(kind, sequence);
        }
        let head = Reply { kind, sequence, body: self.reply.len() as u64 };
        self.port.write(&head.to_bytes(), &self.reply)
    }

    /// Sends the numbers of a large outcome, if there are any, and then the contents of `self.reply`.
    #[cold]
    fn put_numbers(&mut self, kind: ReplyKind, sequence: u64) -> io::Result<()> {
        let numbers = self.numbers.as_deref().unwrap_or_default();
        let head = Reply { kind, sequence, body: (numbers.len() + self.reply.len()) as u64 };
        if numbers.is_empty() {
            return self.port.write(&head.to_bytes(), &self.reply);
        }
        self.port.write(&head.to_bytes(), numbers)?;
        self.port.write(&self.reply, &[])
    }
}

/// Calls the function on a large vector of numbers. It is rare, and so kept out of the path of other tasks.
#[cold]
fn call_on_numbers(entry: &Entry, argument: &mut Option<Words>, reply: &mut Vec<u8>) {
    if let Some(numbers) = argument.take() {
        entry.call_words(numbers, reply);
    }
}

/// Converts a length that the parent announces. The parent has a body of that length in its memory, and a worker runs
/// the same program, so it fits unless a task has overwritten the link.
fn length(announced: u64) -> io::Result<usize> {
    let length = usize::try_from(announced).ok().filter(|length| *length < isize::MAX as usize);
    length.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
