//! The worker's loop.

use std::{
    borrow::Cow,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use executor_core::{
    Error, ErrorKind, TaskId, fork,
    function::{Address, BuildId, Entry, batch, outcome},
    host::HostId,
    task::{self, Remote},
};

use super::{
    REPORT,
    boundary::Boundary,
    buffers,
    children::{self, Reaper},
    fail_to_start,
    functions::Functions,
    group, lifeline, limits, name, overflow, signals, terminal,
};
use crate::{
    Transport,
    frame::{Reply, ReplyKind, Request, RequestKind},
    start::{initialisers, setup::Setup},
    transport::{Port, Report, socket},
};

/// After so many tasks it is looked for children that have ended: a system call each time would cost as much as a task.
const REAP_EVERY: u64 = 256;

/// Serves the parent at the other end of this socket. Never returns.
pub(crate) fn serve(socket: OwnedFd) -> ! {
    let socket = Arc::new(socket);
    match start(&socket) {
        Ok(mut worker) => {
            let result = worker.run();
            leave(result)
        }
        Err(error) => fail_to_start(&error),
    }
}

/// Ends the process in the way that the end of the loop asks for.
fn leave(result: io::Result<()>) -> ! {
    match result {
        // What the task wrote to standard output is flushed by this.
        Ok(()) => std::process::exit(0),
        // The parent is gone, or has given this worker up; or a task has closed the link, and then somebody reads this.
        Err(error) => super::lose_link(&error),
    }
}

struct Worker {
    port: Box<dyn Port>,
    setup: Setup,
    /// A task may fork, and its child may return from the task too.
    born: fork::Generation,
    /// None: the parent runs another build.
    functions: Option<Functions>,
    /// Reused from task to task, as what follows.
    spare: Option<Arc<Remote>>,
    reaper: Reaper,
    body: Vec<u8>,
    reply: Vec<u8>,
    boundary: Boundary,
}

fn start(socket: &Arc<OwnedFd>) -> io::Result<Worker> {
    signals::reset();
    children::adopt()?;
    overflow::watch();
    let (setup, memory) = Setup::receive(socket.as_fd())?;
    setup.rights.check_worker()?;
    group::join();
    terminal::leave();
    name::set(&setup.name);
    let (port, report): (Box<dyn Port>, _) = match (setup.transport, memory) {
        #[cfg(target_os = "linux")]
        (Transport::Ring, Some(file)) => {
            let (port, report) = crate::transport::ring::port(file, socket.clone())?;
            (Box::new(port), Some(report))
        }
        (Transport::Socket, memory) => {
            (Box::new(socket::port(socket.clone())), memory.and_then(|file| Report::open(file).ok()))
        }
        #[allow(unreachable_patterns)]
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the shared memory did not come along")),
    };
    if let Some(report) = report {
        let _ = REPORT.set(report);
    }
    lifeline::start(socket.clone(), setup.parent)?;
    if let Some(wanted) = setup.core_dumps {
        limits::limit_core_dumps(wanted)?;
    }
    if setup.memory_limit > 0 {
        limits::limit_memory(setup.memory_limit)?;
    }
    let functions = Functions::of_parent(setup.build);
    let (born, reaper) = (fork::generation(), Reaper::new());
    let (body, reply, boundary) = (Vec::new(), Vec::new(), Boundary::new());
    Ok(Worker { port, setup, born, functions, spare: None, reaper, body, reply, boundary })
}

/// What a request leads to.
enum Next {
    Continue,
    Leave,
}

impl Worker {
    fn run(&mut self) -> io::Result<()> {
        let _entered = task::enter_worker(self.setup.name.as_str(), HostId::NONE);
        if self.functions.is_none() {
            let message = format!(
                "the worker runs build {}, and its parent {}: the program was replaced while it ran; restart it",
                BuildId::own(),
                self.setup.build
            );
            return self.refuse(&Error::new(ErrorKind::Broken, message));
        }
        if let Some(report) = REPORT.get() {
            report.note_serving();
        }
        initialisers::run_rest();
        if !self.setup.initializes {
            self.boundary.note();
            self.answer(ReplyKind::Ready, 0)?;
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
        buffers::make_room(&mut self.body, body);
        self.port.read_to(&mut self.body, body)?;
        match request.kind {
            RequestKind::Retire => Ok(Next::Leave),
            // Whoever ran it has seen this before it was read, or has ended before it came.
            RequestKind::Stop => Ok(Next::Continue),
            RequestKind::Initialize => self.initialize(request),
            RequestKind::Run | RequestKind::RunTimed => {
                if request.kind == RequestKind::RunTimed {
                    // Before the start, so that the parent never sees it run with the time of another.
                    self.port.note_time();
                }
                if self.port.start(request.sequence)? {
                    // Mostly the name is the function's own, which does not travel.
                    let name = if name.is_empty() { Cow::Borrowed("") } else { String::from_utf8_lossy(&name) };
                    self.run_task(request, &name)?;
                }
                if request.sequence.is_multiple_of(REAP_EVERY) {
                    self.reaper.look();
                }
                buffers::rest(&mut self.body, &mut self.reply);
                Ok(Next::Continue)
            }
        }
    }

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
        task::run_remote(Arc::new(remote), || entry.call_taking(&mut self.body, &mut self.reply));
        if outcome::is_error(&self.reply) {
            // The body of the answer is the error alone, without the byte that says that it is one.
            self.reply.pop();
            let error = Error::decode(&self.reply);
            return self.refuse(&error).map(|()| Next::Leave);
        }
        self.reply.clear();
        self.boundary.note();
        self.answer(ReplyKind::Ready, 0)?;
        buffers::rest(&mut self.body, &mut self.reply);
        Ok(Next::Continue)
    }

    fn run_task(&mut self, request: Request, name: &str) -> io::Result<()> {
        let sequence = request.sequence;
        let found = self.entry(request.function);
        let name = match (&found, name) {
            (Ok(entry), "") => Cow::Borrowed(entry.name()),
            (_, name) => Cow::Owned(name.to_string()),
        };
        let remote = self.remote(&request, name);
        if request.batch == 0 {
            self.reply.clear();
            self.boundary.begin();
            match found {
                Ok(entry) => task::run_remote(remote.clone(), || entry.call_taking(&mut self.body, &mut self.reply)),
                Err(error) => outcome::write_error(&error, &mut self.reply),
            }
            self.boundary.end();
            end_copies(self.born);
            if !self.port.finish(sequence, 0) {
                // It was condemned while it ran, has reached its end after all, and must not report it.
                lifeline::end_group();
            }
            self.answer(ReplyKind::Outcome, sequence)?;
            // Now nobody waits for this.
            self.boundary.note_if_written();
        } else {
            self.run_batch(request, found, &remote)?;
        }
        self.spare = Some(remote);
        Ok(())
    }

    fn entry(&mut self, address: Address) -> Result<&'static Entry, Error> {
        let Some(functions) = &mut self.functions else {
            return Err(Error::new(ErrorKind::Decode, "the worker runs another build than its parent"));
        };
        functions.find(address)
    }

    /// What the task is told of itself. It is made anew only where a task has kept its own.
    fn remote(&mut self, request: &Request, name: Cow<'static, str>) -> Arc<Remote> {
        let (id, attempt, number) = (TaskId::from_u64(request.task), request.attempt, request.sequence);
        if let Some(mut spare) = self.spare.take()
            && let Some(remote) = Arc::get_mut(&mut spare)
        {
            (remote.id, remote.name, remote.attempt, remote.number) = (id, name, attempt, number);
            return spare;
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
        let mut course = Course::begin(self, request, remote)?;
        if let Ok(entry) = found {
            task::run_remote(remote.clone(), || entry.call_each(&mut arguments, &mut |record| course.goes_on(record)));
        }
        // The items that are not to be called, each for its own reason.
        let mut record = Vec::new();
        while course.is_open() {
            let error = match (arguments.next(), &found) {
                (None, _) => Error::new(ErrorKind::Decode, "an item of a batch did not arrive"),
                (Some(_), Err(error)) => error.clone(),
                (Some(_), Ok(_)) => Error::new(ErrorKind::Cancelled, "the map that this item belongs to was dropped"),
            };
            record.clear();
            batch::write_record(&mut record, |outcome| outcome::write_error(&error, outcome));
            course.goes_on(&record);
        }
        let ended = course.result;
        self.boundary.end();
        self.boundary.note_if_written();
        self.body = body;
        ended
    }

    /// Says that this worker cannot serve, and why. It then leaves; the parent knows the reason.
    fn refuse(&mut self, error: &Error) -> io::Result<()> {
        self.reply.clear();
        error.encode(&mut self.reply);
        self.answer(ReplyKind::NotReady, 0)
    }

    /// Sends what is in `self.reply`, and wakes the parent.
    fn answer(&mut self, kind: ReplyKind, sequence: u64) -> io::Result<()> {
        self.put(kind, sequence)?;
        self.port.ring_bell()
    }

    fn put(&mut self, kind: ReplyKind, sequence: u64) -> io::Result<()> {
        let head = Reply { kind, sequence, body: self.reply.len() as u64 };
        self.port.write(&head.to_bytes(), &self.reply)
    }
}

/// What the parent announces. It has written all of it down, and a worker is the same program; but a task may have
/// written over the link.
fn length(announced: u64) -> io::Result<usize> {
    let length = usize::try_from(announced).ok().filter(|length| *length < isize::MAX as usize);
    length.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// How far a batch has come.
struct Course<'a> {
    port: &'a mut dyn Port,
    boundary: &'a mut Boundary,
    born: fork::Generation,
    remote: &'a Remote,
    is_timed: bool,
    /// How many items have no outcome yet.
    open: u32,
    /// The item that the claim names. Without a time limit nobody wants to know which one runs, so it stays behind.
    claimed: u64,
    result: io::Result<()>,
}

impl<'a> Course<'a> {
    fn begin(worker: &'a mut Worker, request: Request, remote: &'a Remote) -> io::Result<Course<'a>> {
        let port = &mut *worker.port;
        let head = Reply { kind: ReplyKind::Outcomes, sequence: request.sequence, body: request.batch.into() };
        port.write(&head.to_bytes(), &[])?;
        let is_timed = request.kind == RequestKind::RunTimed;
        let (born, boundary) = (worker.born, &mut worker.boundary);
        boundary.begin();
        Ok(Course { port, boundary, born, remote, is_timed, open: request.batch, claimed: 0, result: Ok(()) })
    }

    /// Whether there are items without an outcome, and somebody to tell it.
    fn is_open(&self) -> bool {
        self.open > 0 && self.result.is_ok()
    }

    /// Takes the outcome of an item. False: the next one is not to be called.
    fn goes_on(&mut self, record: &[u8]) -> bool {
        self.boundary.end();
        end_copies(self.born);
        self.open = self.open.saturating_sub(1);
        let is_last = self.open == 0;
        // Also if the task was condemned, which the claim then shows.
        let is_stopped = self.remote.is_asked_to_stop();
        if !is_last && (self.is_timed || is_stopped) {
            self.advance();
        }
        if is_last && !self.port.finish(self.remote.number, self.claimed) {
            lifeline::end_group();
        }
        self.result = self.tell(record, is_last);
        self.boundary.note_if_written();
        self.boundary.begin();
        self.is_open() && !is_stopped
    }

    fn advance(&mut self) {
        if self.is_timed {
            self.port.note_time();
        }
        if !self.port.advance(self.remote.number, self.claimed) {
            // It was condemned while it ran, has reached its end after all, and must not report it.
            lifeline::end_group();
        }
        self.claimed += 1;
    }

    fn tell(&mut self, record: &[u8], is_last: bool) -> io::Result<()> {
        self.port.write(record, &[])?;
        // The next item may end this process, and this one has its outcome.
        self.port.hand_over()?;
        // With a time limit the parent follows the items one by one; else it is told once, at the end.
        if is_last || self.is_timed { self.port.ring_bell() } else { Ok(()) }
    }
}

/// Ends this process if it is the child of a fork that a task has made: the link is its parent's, who answers.
fn end_copies(born: fork::Generation) {
    if born.check().is_err() {
        lifeline::end_this_process();
    }
}
