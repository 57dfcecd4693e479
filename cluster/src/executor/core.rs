//! What the threads of an executor share.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
            fence,
        },
    },
    task::{Context, Poll},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use executor_core::{
    Error, ErrorKind, Shutdown, Task, TaskId, WorkerDeath,
    codec::Bytes,
    deadline, fork,
    function::outcome,
    host::{Host, HostId},
    submit_line::Admitted,
};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{
    callbacks::{Callbacks, Delivery, no_thread},
    message::Message,
    options::ExecutorOptions,
    room::Room,
    stats::Stats,
};
use crate::{
    client::{Action, Client, Counts, Loss},
    link::ClientLink,
    outbox::Outbox,
    trace::{self, Event},
    value::Values,
    wire::{Peer, Reference, ToAgent},
};

/// How often the machine is told the time while it has tasks.
const TICK: Duration = Duration::from_millis(100);

pub(super) type Machine = Client<Task, Message>;
type MachineAction = Action<Task, Message>;

/// What callers, the transport and the two threads of an executor share.
pub(super) struct Core {
    own: Weak<Core>,
    me: Peer,
    link: Arc<dyn ClientLink>,
    values: Arc<Values>,
    host: OnceLock<HostId>,
    max_workers: AtomicUsize,
    ended_tasks: EndedTasks,
    state: Mutex<State>,
    /// Held while something is sent, so that it is sent in the order in which the machine wanted it. It is locked
    /// before `state` is released.
    outgoing: Mutex<()>,
    /// Notified when the first task comes, and when the executor is closed: then the clock must tick, or stop.
    clock_changed: Condvar,
    /// Notified when the last task of a closed executor has ended.
    ended: Condvar,
    callbacks: Callbacks,
    clock: Mutex<Option<JoinHandle<()>>>,
    began: Instant,
    born: fork::Generation,
}

/// How many tasks have ended, and how.
#[derive(Default)]
struct EndedTasks {
    done: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
}

struct State {
    machine: Machine,
    room: Room,
    is_closed: bool,
    /// Why no task is accepted, if the engine has been away for too long.
    refusal: Option<Error>,
    /// How many threads do what the machine wants. Tasks that it has forgotten are not done before they have.
    acting: usize,
    /// Whether the thread of the clock has ended, after the last task.
    has_ended: bool,
}

impl State {
    fn queued(&self) -> usize {
        self.machine.counts().queued
    }

    /// Returns an error if no task is accepted.
    fn check(&self) -> Result<(), Error> {
        if self.is_closed {
            return Err(shut_down());
        }
        self.refusal.clone().map_or(Ok(()), Err)
    }

    fn is_over(&self) -> bool {
        self.is_closed && self.acting == 0 && self.machine.counts() == Counts::default()
    }
}

impl Core {
    pub(super) fn start(me: Peer, link: Arc<dyn ClientLink>, options: ExecutorOptions) -> Result<Arc<Core>, Error> {
        let state = State {
            machine: Client::new(options.timing),
            room: Room::new(options.queue_capacity),
            is_closed: false,
            refusal: None,
            acting: 0,
            has_ended: false,
        };
        let callbacks = Callbacks::start()?;
        let remove = {
            let link = link.clone();
            move |argument: &Reference| link.remove(argument)
        };
        let core = Arc::new_cyclic(|own| Core {
            own: own.clone(),
            values: Values::new(me.clone(), remove),
            me,
            link,
            host: OnceLock::new(),
            max_workers: AtomicUsize::new(options.max_workers),
            ended_tasks: EndedTasks::default(),
            state: Mutex::new(state),
            outgoing: Mutex::new(()),
            clock_changed: Condvar::new(),
            ended: Condvar::new(),
            callbacks,
            clock: Mutex::new(None),
            began: Instant::now(),
            born: fork::generation(),
        });
        let own = core.clone();
        let run = move || own.run_clock();
        let clock = std::thread::Builder::new().name("cluster-clock".into()).spawn(run);
        *core.clock.lock() = Some(clock.inspect_err(|_| core.callbacks.close()).map_err(no_thread)?);
        Ok(core)
    }

    pub(super) fn set_host(&self, host: HostId) {
        let _ = self.host.set(host);
    }

    pub(super) fn counts(&self) -> Counts {
        self.state.lock().machine.counts()
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state.lock();
        let Counts { queued, granted } = state.machine.counts();
        let requeued = state.machine.requeued();
        drop(state);
        // ORDERING: Relaxed. Each is a count of its own.
        let EndedTasks { done, failed, lost } = &self.ended_tasks;
        Stats {
            queued,
            running: granted,
            done: done.load(Relaxed),
            failed: failed.load(Relaxed),
            requeued,
            lost: lost.load(Relaxed),
        }
    }

    pub(super) fn max_workers(&self) -> usize {
        // ORDERING: Relaxed. It is an estimate.
        self.max_workers.load(Relaxed)
    }

    pub(super) fn set_max_workers(&self, max_workers: usize) {
        // ORDERING: Relaxed. It is an estimate.
        self.max_workers.store(max_workers, Relaxed);
    }

    /// Refuses tasks with this error until it is called with `None`.
    pub(super) fn refuse(&self, refusal: Option<Error>) {
        let mut state = self.state.lock();
        let waiting = if refusal.is_some() { state.room.line.dissolve() } else { Vec::new() };
        state.refusal = refusal;
        drop(state);
        self.notify(waiting);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// Fails the tasks that `take` takes out of the machine.
    pub(super) fn fail_tasks(&self, error: &Error, take: impl FnOnce(&mut Machine) -> Vec<Task>) {
        // The executor does not end before these are done.
        self.state.lock().acting += 1;
        let mut failed = Vec::new();
        self.event(|machine| failed = take(machine));
        for task in failed {
            self.fail(task, error.clone());
        }
        self.has_acted();
    }

    /// Notes an event for the subscriber, if there may be one.
    pub(super) fn note(&self, event: impl FnOnce() -> Event) {
        if trace::is_wanted() {
            self.callbacks.send(Delivery::Event(event()));
        }
    }

    fn fail(&self, task: Task, error: Error) {
        self.ended_tasks.failed.fetch_add(1, Relaxed);
        self.callbacks.complete(task.fail(error));
    }

    pub(super) fn schedule(&self, task: Task) -> Result<(), Error> {
        self.born.check()?;
        let id = task.id();
        self.state.lock().check()?;
        // User code runs here, so the lock is not held.
        let body = match Message::encode(&task, &*self.link, &self.values) {
            Ok(body) => body,
            Err(error) => {
                self.give_up_room(&task);
                return Err(error);
            }
        };
        if let Some(host) = self.host.get() {
            task.attach(*host);
        }
        // ORDERING: pairs with the fence of a thread that cancels the task. Either that thread sees the host, and calls
        // `left_queue`, or this one sees below that the task has left the queue.
        fence(SeqCst);
        let mut state = self.state.lock();
        if !state.room.is_for(id, state.queued()) {
            if !task.may_wait() {
                return Err(Error::queue_full(NAME, state.room.capacity()));
            }
            let thread = state.room.line.join_blocked(id);
            while !thread.is_admitted() {
                state.check()?;
                thread.sleep(&mut state);
            }
        }
        state.room.take(id);
        state.check()?;
        if task.has_left_queue() {
            // It was cancelled by a thread that may have called `left_queue` already. The room goes to the next one.
            return self.leave(state, |_| ());
        }
        let retries = task.retries();
        let was_empty = state.machine.counts() == Counts::default();
        if was_empty {
            self.clock_changed.notify_all();
        }
        self.leave(state, move |machine| machine.submit(id, task, retries, body))
    }

    /// Does something with the machine, releases the lock, and then does what the machine wants.
    fn leave(&self, mut state: MutexGuard<'_, State>, event: impl FnOnce(&mut Machine)) -> Result<(), Error> {
        event(&mut state.machine);
        let actions = state.machine.take_actions();
        let queued = state.queued();
        let admitted = state.room.admit(queued);
        state.acting += 1;
        let sending = self.outgoing.lock();
        drop(state);
        let rest = self.send(actions);
        drop(sending);
        self.complete(rest);
        self.notify(admitted);
        self.has_acted();
        Ok(())
    }

    /// Something has happened.
    pub(super) fn event(&self, event: impl FnOnce(&mut Machine)) {
        let state = self.state.lock();
        let _ = self.leave(state, event);
    }

    fn notify(&self, admitted: Vec<Admitted>) {
        for submitter in admitted.into_iter().filter_map(Admitted::notify_thread) {
            self.callbacks.send(Delivery::Admitted(submitter));
        }
    }

    /// Sends what the machine wants sent, and returns the rest. It runs no user code.
    fn send(&self, actions: Vec<MachineAction>) -> Vec<MachineAction> {
        let mut outbox: Outbox<ToAgent> = Outbox::default();
        let mut rest = Vec::new();
        for action in actions {
            match action {
                Action::Publish { task, body: Message { bytes, argument: None, .. } } => self.link.publish(task, bytes),
                Action::Publish { task, body: Message { bytes, argument: Some(argument), .. } } => {
                    self.link.publish_with(task, bytes, argument);
                }
                Action::Send { to, record } => outbox.push(to, record),
                Action::Count(number) => self.link.count(number),
                other => rest.push(other),
            }
        }
        outbox.send(&self.me, |to, frame| self.link.send(to, frame));
        rest
    }

    /// Completes the tasks that have ended.
    fn complete(&self, actions: Vec<MachineAction>) {
        for action in actions {
            match action {
                Action::Complete { work, outcome } => match Reference::of_outcome(&outcome) {
                    Ok(None) => self.complete_with(work, outcome),
                    Ok(Some(reference)) => self.fetch(work, reference),
                    Err(reason) => self.fail(work, reason.into()),
                },
                Action::Lose { work, loss } => {
                    self.ended_tasks.lost.fetch_add(1, Relaxed);
                    self.note(|| Event::TaskLost {
                        task: work.id().as_u64(),
                        name: work.name().to_string(),
                        agent: loss.agent.to_string(),
                        attempts: loss.attempts,
                    });
                    let error = lost(work.name(), &loss);
                    self.fail(work, error);
                }
                Action::Cancel(work) => {
                    self.ended_tasks.failed.fetch_add(1, Relaxed);
                    self.callbacks.complete(work.cancel());
                }
                Action::Discard(work) => self.callbacks.send(Delivery::Discarded(work)),
                Action::Publish { .. } | Action::Send { .. } | Action::Count(_) => {}
            }
        }
    }

    fn complete_with(&self, work: Task, outcome: Bytes) {
        let EndedTasks { done, failed, .. } = &self.ended_tasks;
        // ORDERING: Relaxed. Each is a count of its own.
        if outcome::is_error(&outcome) { failed } else { done }.fetch_add(1, Relaxed);
        self.callbacks.complete(work.complete(outcome));
    }

    /// Completes a task whose outcome is in the store. The executor does not end before.
    fn fetch(&self, work: Task, outcome: Reference) {
        let Some(core) = self.own.upgrade() else { return };
        self.state.lock().acting += 1;
        let then = move |fetched: Result<Bytes, Error>| {
            match fetched {
                Ok(outcome) => core.complete_with(work, outcome),
                Err(error) => core.fail(work, error),
            }
            core.has_acted();
        };
        self.link.fetch(outcome, Box::new(then));
    }

    /// A thread has done what the machine wanted, or what else must be done before the executor ends.
    fn has_acted(&self) {
        let mut state = self.state.lock();
        state.acting -= 1;
        if state.is_over() {
            self.clock_changed.notify_all();
        }
    }

    /// Tells the machine the time while it has tasks, until the executor is closed and has none.
    fn run_clock(&self) {
        let mut state = self.state.lock();
        while !state.is_over() {
            if state.machine.counts() == Counts::default() {
                self.clock_changed.wait(&mut state);
                continue;
            }
            self.clock_changed.wait_for(&mut state, TICK);
            MutexGuard::unlocked(&mut state, || self.event(|machine| machine.tick(self.began.elapsed())));
        }
        drop(state);
        self.link.close();
        self.callbacks.close();
        self.state.lock().has_ended = true;
        self.ended.notify_all();
    }

    pub(super) fn close(&self, mode: Shutdown) {
        // A forked child has none of the threads, and one of them may have held the lock.
        if self.born.check().is_err() {
            return;
        }
        let mut state = self.state.lock();
        state.is_closed = true;
        let waiting = state.room.line.dissolve();
        self.clock_changed.notify_all();
        let _ = self.leave(state, |machine| match mode {
            Shutdown::Drain => {}
            Shutdown::CancelPending => machine.close_queue(),
            Shutdown::Terminate { grace } => {
                machine.close_queue();
                machine.stop_all(Some(grace));
            }
        });
        self.notify(waiting);
    }

    pub(super) fn join(&self, until: Option<Instant>) -> bool {
        if self.born.check().is_err() || self.callbacks.is_own_thread() {
            return false;
        }
        if !deadline::wait_while(&self.ended, &mut self.state.lock(), until, |state| !state.has_ended) {
            return false;
        }
        if !self.callbacks.join(until) {
            return false;
        }
        let clock = self.clock.lock().take();
        if let Some(clock) = clock {
            // It runs no user code, so it has not panicked.
            let _ = clock.join();
        }
        true
    }

    pub(super) fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.born.check()?;
        // Cloning a waker is user code.
        let waker = context.waker().clone();
        let mut state = self.state.lock();
        state.check()?;
        let queued = state.queued();
        if state.room.is_for(task.id(), queued) {
            state.room.reserve(task.id());
            drop(state);
            return Poll::Ready(Ok(()));
        }
        let former = state.room.line.join_async(task.id(), waker);
        drop(state);
        drop(former);
        Poll::Pending
    }

    pub(super) fn give_up_room(&self, task: &Task) {
        let mut state = self.state.lock();
        let former = state.room.line.leave(task.id());
        state.room.take(task.id());
        let _ = self.leave(state, |_| ());
        drop(former);
    }
}

impl Host for Core {
    fn left_queue(&self, task: TaskId) {
        let mut left = None;
        self.event(|machine| left = machine.left_queue(task));
        if left.is_some() {
            self.ended_tasks.failed.fetch_add(1, Relaxed);
        }
        drop(left);
    }

    fn terminate(&self, task: TaskId, _: u64, grace: Duration) -> bool {
        let mut is_stopped = false;
        self.event(|machine| is_stopped = machine.stop(task, Some(grace)));
        is_stopped
    }

    fn ask_to_stop(&self, task: TaskId, _: u64) {
        self.event(|machine| {
            machine.stop(task, None);
        });
    }
}

const NAME: &str = "the cluster executor";

fn shut_down() -> Error {
    Error::shut_down(NAME)
}

/// Returns the machine of an agent, which is the beginning of its name, before a process id and a random part.
fn host_of(agent: &Peer) -> &str {
    agent.process().rsplitn(3, '-').nth(2).unwrap_or(agent.process())
}

/// Returns the error of a task whose agent is gone.
fn lost(task: &str, loss: &Loss) -> Error {
    let Loss { agent, attempts, silence } = loss;
    let reason = match silence {
        Some(silence) => {
            format!("agent `{agent}` has not answered for {silence:?}: its machine or its connection is gone")
        }
        None => format!("agent `{agent}` has dropped the outcome, because this program was away for too long"),
    };
    let death = WorkerDeath::new(0).with_host(host_of(agent)).with_task(task);
    Error::from_death(
        ErrorKind::WorkerDied,
        format!("task `{task}` was lost in attempt {attempts}: {reason}; give the task retries if it may run twice"),
        death,
    )
}
