//! An agent's tasks on an executor of its machine.

mod arguments;
mod function;
mod pace;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use executor_core::{
    Backend, CancellationToken, Error, ErrorKind, Future, Task, TaskId, TaskOptions,
    codec::Bytes,
    deadline,
    task::{Origin, Reply},
};
use parking_lot::{Condvar, Mutex, MutexGuard};

use self::{
    arguments::{Arguments, Step},
    function::function_of,
    pace::Pace,
};
use crate::{
    agent::{Action, Agent, Timing},
    link::{AgentLink, LARGE},
    outbox::Outbox,
    wire::{Argument, Malformed, Peer, Reference, Submission, ToAgent, ToClient, unpack},
};

/// How often the machine is told the time.
const TICK: Duration = Duration::from_millis(100);

/// What an agent is told at its start.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// How many tasks run at the same time.
    pub slots: usize,
    /// The name of the machine, for errors.
    pub host: String,
    /// How long the agent waits for what.
    pub timing: Timing,
}

/// Runs the tasks of a cluster on an executor of this machine, which should be a pool of processes.
///
/// The transport passes to it what arrives. Its thread ends when it is dropped; tasks that run then go on in the
/// executor, and their outcomes are lost.
///
/// ```
/// use std::time::Duration;
/// use cluster::{AgentLink, AgentService, ServiceOptions, agent::Timing, wire::Peer};
/// use executor_core::InlineExecutor;
///
/// /// There is no engine: nothing is ever delivered.
/// struct Offline;
/// impl AgentLink for Offline {
///     type Delivery = u64;
///     fn pull(&self, _: usize) {}
///     fn acknowledge(&self, _: u64) {}
///     fn give_back(&self, _: u64, _: Duration) {}
///     fn send(&self, _: &Peer, _: Vec<u8>) {}
/// }
/// let options = ServiceOptions { slots: 2, host: "node-7".into(), timing: Timing::default() };
/// let agent = AgentService::start(Peer::new("worker", "a1")?, Offline, InlineExecutor::new(), options)?;
/// assert!(agent.deliver(Peer::new("ada", "c1")?, b"no task", 1).is_err());
/// agent.leave();
/// assert!(agent.wait_idle(None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AgentService<L: AgentLink> {
    core: Arc<Core<L>>,
    clock: Option<JoinHandle<()>>,
}

struct Core<L: AgentLink> {
    me: Peer,
    host: String,
    link: L,
    executor: Arc<dyn Backend>,
    state: Mutex<State<L::Delivery>>,
    /// Held while something is sent, so that it is sent in the order in which the machine wanted it: the engine and the
    /// client then see tasks in their order. It is locked before `state` is released.
    outgoing: Mutex<()>,
    /// Notified when the agent becomes idle, and when the clock must stop or no longer sleep.
    changed: Condvar,
    began: Instant,
}

struct State<D> {
    machine: Agent<Submission, D>,
    /// The tasks in the executor, by the numbers of their runs.
    runs: HashMap<u64, Arc<Future<Reply>>>,
    /// The runs whose arguments come from the store.
    arguments: Arguments<Job>,
    pace: Pace,
    is_dropped: bool,
    is_interrupted: bool,
}

impl<D> State<D> {
    /// Returns whether time matters: otherwise nothing happens until something arrives.
    fn needs_time(&self) -> bool {
        self.machine.needs_time() || self.arguments.keeps_any()
    }
}

/// A run that the machine wants.
struct Job {
    ran: Ran,
    task: TaskId,
    submission: Submission,
}

/// What is known of a run when it has ended.
struct Ran {
    run: u64,
    client: Peer,
    attempt: u32,
    /// When it was wanted.
    began: Instant,
}

impl<L: AgentLink> AgentService<L> {
    /// Makes an agent over a transport, and asks the engine for tasks. `me` is the name under which clients answer it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] if a thread cannot be started.
    pub fn start(
        me: Peer,
        link: L,
        executor: impl Backend + 'static,
        options: ServiceOptions,
    ) -> Result<AgentService<L>, Error> {
        let machine = Agent::new(options.slots, link.longest_message(), options.timing);
        let core = Arc::new(Core {
            me,
            host: options.host,
            link,
            executor: Arc::new(executor),
            state: Mutex::new(State {
                machine,
                runs: HashMap::new(),
                arguments: Arguments::default(),
                pace: Pace::new(options.slots, Instant::now()),
                is_dropped: false,
                is_interrupted: false,
            }),
            outgoing: Mutex::new(()),
            changed: Condvar::new(),
            began: Instant::now(),
        });
        let own = core.clone();
        let clock = std::thread::Builder::new().name("agent-clock".into()).spawn(move || own.run_clock());
        let clock =
            clock.map_err(|error| Error::new(ErrorKind::Other, format!("an agent cannot start a thread: {error}")))?;
        Ok(AgentService { core, clock: Some(clock) })
    }

    /// The engine has delivered a message of a client.
    ///
    /// # Errors
    ///
    /// If it is not a task. It is acknowledged then, because it will never be one.
    pub fn deliver(&self, client: Peer, bytes: &[u8], delivery: L::Delivery) -> Result<(), Malformed> {
        match Submission::read(bytes) {
            Ok(submission) => {
                let (task, priority) = (submission.task, submission.priority);
                self.core.event(|machine| machine.deliver(client, task, priority, submission, delivery));
                Ok(())
            }
            Err(reason) => {
                self.core.link.acknowledge(delivery);
                self.core.event(|machine| machine.pulls_ended(1));
                Err(reason)
            }
        }
    }

    /// The engine has delivered several messages together: for each the client, the bytes, and the delivery. The agent
    /// asks for what it may start with one frame to each client, and not with one for each message.
    ///
    /// What is not a task is acknowledged, because it will never be one.
    pub fn deliver_all<B: AsRef<[u8]>>(&self, messages: impl IntoIterator<Item = (Peer, B, L::Delivery)>) {
        // Reading takes longer than the rest, and needs no lock.
        let read = |(client, bytes, delivery): (Peer, B, L::Delivery)| match Submission::read(bytes.as_ref()) {
            Ok(submission) => Some((client, submission, delivery)),
            Err(_) => {
                self.core.link.acknowledge(delivery);
                None
            }
        };
        let mut count = 0;
        let submissions: Vec<_> = messages.into_iter().inspect(|_| count += 1).filter_map(read).collect();
        let others = count - submissions.len();
        self.core.event(|machine| {
            for (client, submission, delivery) in submissions {
                machine.deliver(client, submission.task, submission.priority, submission, delivery);
            }
            machine.pulls_ended(others);
        });
    }

    /// A frame has arrived. `from` is who has sent it, as the engine says.
    ///
    /// # Errors
    ///
    /// If the frame is damaged, or names another sender. Then nothing of it counts.
    pub fn frame(&self, from: &Peer, bytes: &[u8]) -> Result<(), Malformed> {
        let (sender, records) = unpack::<ToAgent>(bytes)?;
        if sender != *from {
            return Err(Malformed::Peer);
        }
        self.core.event(|machine| records.into_iter().for_each(|record| machine.receive(from, record)));
        Ok(())
    }

    /// The engine says that no one listens to what was sent to this client.
    pub fn unreachable(&self, client: &Peer) {
        self.core.event(|machine| machine.unreachable(client));
    }

    /// This many messages for which the engine was asked will not come.
    pub fn pulls_ended(&self, messages: usize) {
        self.core.event(|machine| machine.pulls_ended(messages));
    }

    /// Stops taking tasks, and gives back what has not started.
    pub fn leave(&self) {
        self.core.event(Agent::leave);
    }

    /// Returns how many tasks run, and whether it was told to leave.
    pub fn state(&self) -> (usize, bool) {
        let state = self.core.state.lock();
        (state.machine.running(), state.machine.is_leaving())
    }

    /// Waits until no task runs and every outcome was received, at most for `timeout`, and until it is
    /// [interrupted](AgentService::interrupt). Returns whether nothing is left.
    pub fn wait_idle(&self, timeout: Option<Duration>) -> bool {
        let mut state = self.core.state.lock();
        let until = deadline::after(timeout);
        let waits = |state: &mut State<L::Delivery>| !state.machine.is_idle() && !state.is_interrupted;
        deadline::wait_while(&self.core.changed, &mut state, until, waits);
        state.is_interrupted = false;
        state.machine.is_idle()
    }

    /// Makes the next return of [`wait_idle`](AgentService::wait_idle) come now.
    pub fn interrupt(&self) {
        self.core.state.lock().is_interrupted = true;
        self.core.changed.notify_all();
    }
}

impl<L: AgentLink> Drop for AgentService<L> {
    fn drop(&mut self) {
        self.core.state.lock().is_dropped = true;
        self.core.changed.notify_all();
        if let Some(clock) = self.clock.take() {
            // It runs no user code, so it has not panicked.
            let _ = clock.join();
        }
    }
}

impl<L: AgentLink> Core<L> {
    /// Something has happened.
    fn event(self: &Arc<Self>, event: impl FnOnce(&mut Agent<Submission, L::Delivery>)) {
        let mut state = self.state.lock();
        let is_clock_asleep = !state.needs_time();
        event(&mut state.machine);
        let actions = state.machine.take_actions();
        if state.machine.is_idle() || is_clock_asleep {
            self.changed.notify_all();
        }
        let sending = self.outgoing.lock();
        drop(state);
        let mut outbox: Outbox<ToClient> = Outbox::default();
        let (mut starts, mut stops) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Pull(messages) => self.link.pull(messages),
                Action::Acknowledge(delivery) => self.link.acknowledge(delivery),
                Action::GiveBack(delivery, delay) => self.link.give_back(delivery, delay),
                Action::Send { to, record } => outbox.push(to, record),
                Action::Run { run, client, task, submission, attempt } => {
                    let ran = Ran { run, client, attempt, began: Instant::now() };
                    starts.push(Job { ran, task, submission });
                }
                Action::Stop { run, grace } => stops.push((run, grace)),
                Action::Abandon { client, outcome } => {
                    if let Ok(Some(reference)) = Reference::of_outcome(&outcome) {
                        self.link.remove(&client, &reference);
                    }
                }
            }
        }
        outbox.send(&self.me, |to, frame| self.link.send(to, frame));
        drop(sending);
        for (run, grace) in stops {
            self.stop(run, grace);
        }
        for job in starts {
            self.run(job);
        }
    }

    /// Gives a task to the executor, or gets its argument first.
    fn run(self: &Arc<Self>, mut job: Job) {
        let nothing = Argument::Here(Bytes::from(Vec::new()));
        match std::mem::replace(&mut job.submission.argument, nothing) {
            Argument::Here(argument) => self.start(job, argument),
            Argument::Stored(reference) => {
                let (run, client) = (job.ran.run, job.ran.client.clone());
                let steps = self.state.lock().arguments.need(run, job, client, reference);
                self.take(steps);
            }
        }
    }

    /// Does what the runs need whose arguments are in the store.
    fn take(self: &Arc<Self>, steps: Vec<Step<Job>>) {
        for step in steps {
            match step {
                Step::Fetch(client, reference) => {
                    let (core, from, what) = (Arc::downgrade(self), client.clone(), reference.clone());
                    let then = move |result| {
                        let Some(core) = core.upgrade() else { return };
                        let steps = core.state.lock().arguments.fetched(from, &what, result);
                        core.take(steps);
                    };
                    self.link.fetch(&client, reference, Box::new(then));
                }
                Step::Start(job, argument) => {
                    // Without others that need it, it is not copied.
                    let argument = Arc::try_unwrap(argument).unwrap_or_else(|shared| Bytes::from(&**shared));
                    self.start(job, argument);
                }
                // The client publishes it again, and stores the argument again.
                Step::Return(run) => self.event(|machine| machine.not_started(run)),
                Step::Fail(job, error) => {
                    self.state.lock().pace.started(Instant::now());
                    self.finished(job.ran, Err(error));
                }
            }
        }
    }

    fn start(self: &Arc<Self>, job: Job, argument: Bytes) {
        let Job { ran, task, submission } = job;
        let (run, attempt) = (ran.run, ran.attempt);
        self.state.lock().pace.started(Instant::now());
        match self.submit(task, submission, argument, attempt) {
            Ok(future) => {
                let future = Arc::new(future);
                self.state.lock().runs.insert(run, future.clone());
                let core = Arc::downgrade(self);
                future.add_done_callback(move |future| finish(&core, ran, future.result(None)));
            }
            Err(error) => self.finished(ran, Err(error)),
        }
    }

    fn submit(
        &self,
        task: TaskId,
        submission: Submission,
        argument: Bytes,
        attempt: u32,
    ) -> Result<Future<Reply>, Error> {
        let function = function_of(&submission)?;
        let mut options = TaskOptions::new().priority(submission.priority);
        options = submission.name.into_iter().fold(options, TaskOptions::name);
        options = submission.time_limit.into_iter().fold(options, TaskOptions::time_limit);
        let (task, future) = Task::forwarded(options, Origin { task, attempt }, function, argument)?;
        self.executor.schedule(task)?;
        Ok(future)
    }

    /// A task has left the executor.
    fn finished(self: &Arc<Self>, ran: Ran, result: Result<Reply, Error>) {
        let Ran { run, client, attempt, began } = ran;
        let mut state = self.state.lock();
        let future = state.runs.remove(&run);
        let steps = state.arguments.ended(run);
        let took = state.pace.ended(began.elapsed(), Instant::now());
        drop(state);
        drop(future);
        self.take(steps);
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Cancelled) {
            return self.event(|machine| machine.not_started(run));
        }
        let result = result.map_err(|error| self.described(error, attempt));
        let died = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WorkerDied);
        let outcome = Reply::of(result).into_bytes();
        let largest = self.link.largest_value();
        if outcome.len() <= LARGE || largest == 0 {
            return self.event(|machine| machine.finished(run, outcome, died, took));
        }
        if outcome.len() as u64 > largest {
            let outcome = Reply::of(Err(too_large(outcome.len(), largest))).into_bytes();
            return self.event(|machine| machine.finished(run, outcome, died, took));
        }
        // Its slot is not free before, so that outcomes do not fill the memory.
        let core = Arc::downgrade(self);
        let then = move |stored: Result<Reference, Error>| {
            let outcome = match stored {
                Ok(reference) => reference.to_outcome(),
                Err(error) => Reply::of(Err(error)).into_bytes(),
            };
            if let Some(core) = core.upgrade() {
                core.event(|machine| machine.finished(run, outcome, died, took));
            }
        };
        self.link.store(&client, run, outcome, Box::new(then));
    }

    /// Returns an error with the name of this machine and the attempt, if it is about a worker.
    fn described(&self, error: Error, attempt: u32) -> Error {
        let Some(death) = error.worker_death() else { return error };
        let death = death.clone().with_host(&self.host);
        let message = match attempt {
            1 => format!("on `{}`: {error}", self.host),
            _ => format!("on `{}`, in attempt {attempt}: {error}", self.host),
        };
        Error::from_death(error.kind(), message, death)
    }

    /// Stops a task. One that the executor has not started is cancelled there.
    fn stop(self: &Arc<Self>, run: u64, grace: Option<Duration>) {
        let mut state = self.state.lock();
        if let Some(steps) = state.arguments.give_up(run) {
            drop(state);
            self.event(|machine| machine.not_started(run));
            return self.take(steps);
        }
        let Some(future) = state.runs.get(&run).cloned() else { return };
        drop(state);
        match grace {
            Some(grace) => {
                if !future.cancel() {
                    future.terminate(grace);
                }
            }
            None => {
                let token = CancellationToken::new();
                token.attach(&*future);
                token.cancel();
            }
        }
    }

    /// Tells the machine the time while that matters to it, and sleeps otherwise.
    fn run_clock(self: &Arc<Self>) {
        let mut state = self.state.lock();
        while !state.is_dropped {
            state.arguments.forget(Instant::now());
            MutexGuard::unlocked(&mut state, || self.event(|machine| machine.tick(self.began.elapsed())));
            while !state.is_dropped && !state.needs_time() {
                self.changed.wait(&mut state);
            }
            let next = Instant::now() + TICK;
            // What is told to others meanwhile is no reason for an earlier tick.
            while !state.is_dropped && !self.changed.wait_until(&mut state, next).timed_out() {}
        }
    }
}

/// Passes on the result of a run, unless its agent is gone.
fn finish<L: AgentLink>(core: &Weak<Core<L>>, ran: Ran, result: Result<Reply, Error>) {
    if let Some(core) = core.upgrade() {
        core.finished(ran, result);
    }
}

fn too_large(length: usize, largest: u64) -> Error {
    let message = format!(
        "the outcome of a task has {length} bytes, more than the {largest} that a cluster carries: write it to a file \
         that all machines can read, and return its name"
    );
    Error::new(ErrorKind::Encode, message)
}

impl<L: AgentLink> fmt::Debug for AgentService<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentService").field("machine", &self.core.state.lock().machine).finish_non_exhaustive()
    }
}
