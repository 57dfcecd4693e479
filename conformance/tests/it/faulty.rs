//! A correct pool of threads that can be given one fault.

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, Weak},
    task::{Context, Poll},
    thread::{self, JoinHandle},
    time::Duration,
};

use conformance::{Capabilities, Harness, Setup};
use executor_core::{
    Backend, Error, ErrorKind, Shutdown, Task, TaskId,
    host::{Host, Registration, register},
    submit_line::{Admitted, SubmitLine},
    task::enter_worker,
};

/// The fault of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    DropsEveryTask,
    DropsEveryTenthTask,
    NeverRunsATask,
    StartsTheNewestFirst,
    IgnoresPriorities,
    HasOneWorkerTooMany,
    HasOneWorkerTooFew,
    GivesTasksToWorkersInTurn,
    HasNoBound,
    NeverBlocksSubmit,
    BlocksTrySubmit,
    CountsCancelledTasksAsQueued,
    LeavesBlockedSubmitters,
    BlocksItsOwnWorkersWhenFull,
    AcceptsTasksAfterClose,
    RefusesWithTheWrongKind,
    CancelsWhenItShouldDrain,
    DrainsWhenItShouldCancel,
    AppliesTheLastClose,
    AppliesTheFirstClose,
    WaitsInClose,
    JoinsEarly,
    JoinsBeforeThreadsEnd,
    JoinsWithoutClose,
    JoinsItself,
    JoinsOnlyOnce,
    IgnoresACloseBeforeTheFirstTask,
    DropsWithoutWaiting,
    DiscardsTasksWhenDropped,
    NotifiesOnAnotherThread,
    NeverNotifies,
    HoldsItsLockWhileATaskRuns,
    StartsAThreadForEachTask,
    DoesNotHelpWaiters,
    HasNoHandle,
    KeepsRunningForItsHandle,
    ClaimsToEncode,
    ClaimsToStopTasks,
    KeepsRefusedTasks,
    ForgetsEveryTenthTask,
    NeverAdmitsAsyncSubmitters,
    LetsAsyncSubmittersOvertake,
    LetsBlockedSubmittersOvertake,
    KeepsTheRoomOfDroppedSubmitters,
    LeavesAsyncSubmitters,
}

use Fault::*;

/// Creates pools with a fault.
pub struct Faulty(pub Fault);

impl Faulty {
    pub fn sound() -> Faulty {
        Faulty(Nothing)
    }
}

impl Harness for Faulty {
    fn name(&self) -> &str {
        "the faulty pool"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            concurrent: true,
            ordered: true,
            prioritises: true,
            bounded: true,
            shares_memory: true,
            helps_waiters: true,
            owns_workers: true,
            has_handle: true,
            gives_room: true,
            encodes: self.0 == ClaimsToEncode,
            stops_tasks: self.0 == ClaimsToStopTasks,
            isolates: false,
        }
    }

    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error> {
        Ok(Box::new(Pool::new(self.0, setup)))
    }
}

struct Pool {
    shared: Arc<Shared>,
    _registration: Registration,
}

struct Shared {
    fault: Fault,
    width: usize,
    capacity: usize,
    me: Weak<Shared>,
    host: Mutex<executor_core::host::HostId>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    scheduled: usize,
    closed: Option<Shutdown>,
    alive: usize,
    handles: Vec<JoinHandle<()>>,
    joined: bool,
    refused: Vec<Task>,
    /// The submitters that wait for room, and the tasks for which there is some.
    line: SubmitLine,
    admitted: BTreeSet<TaskId>,
}

fn severity(mode: Shutdown) -> u8 {
    match mode {
        Shutdown::Drain => 0,
        Shutdown::CancelPending => 1,
        Shutdown::Terminate { .. } => 2,
    }
}

impl Pool {
    fn new(fault: Fault, setup: &Setup) -> Pool {
        let shared = Arc::new_cyclic(|me| Shared {
            fault,
            width: setup.workers,
            capacity: setup.queue_capacity.unwrap_or(usize::MAX),
            me: me.clone(),
            host: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let host: Arc<dyn Host> = shared.clone();
        let registration = register(Arc::downgrade(&host));
        *shared.host.lock().expect("no panic while it is locked") = registration.id();
        let workers = match fault {
            HasOneWorkerTooMany => setup.workers + 1,
            HasOneWorkerTooFew => setup.workers - 1,
            StartsAThreadForEachTask => 0,
            _ => setup.workers,
        };
        for number in 0..workers {
            shared.spawn(move |shared| shared.work(number));
        }
        Pool { shared, _registration: registration }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn spawn(&self, work: impl FnOnce(&Shared) + Send + 'static) {
        let shared = self.me.upgrade().expect("the caller holds a reference");
        let mut state = self.lock();
        state.alive += 1;
        state.handles.push(thread::spawn(move || {
            let host = *shared.host.lock().expect("no panic while it is locked");
            let _worker = enter_worker("a faulty worker", host);
            work(&shared);
            shared.lock().alive -= 1;
            shared.changed.notify_all();
        }));
    }

    fn work(&self, number: usize) {
        loop {
            let mut state = self.lock();
            let task = loop {
                if let Some(task) = self.next(&mut state, number) {
                    break task;
                }
                let may_end = self.fault != IgnoresACloseBeforeTheFirstTask || state.scheduled > 0;
                if state.closed.is_some() && state.queue.is_empty() && may_end {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
            };
            self.changed.notify_all();
            let submitters = self.admit(&mut state);
            if self.fault == HoldsItsLockWhileATaskRuns {
                task.run();
                continue;
            }
            let cancels = self.fault == AppliesTheLastClose && state.closed.is_some_and(|mode| severity(mode) > 0);
            drop(state);
            submitters.into_iter().for_each(Admitted::notify);
            if cancels {
                drop(task.withdraw());
            } else {
                self.run(task);
            }
        }
    }

    fn run(&self, task: Task) {
        match self.fault {
            NotifiesOnAnotherThread => {
                let done = task.run_quietly();
                thread::scope(|scope| scope.spawn(|| drop(done)).join().expect("callbacks are contained"));
            }
            NeverNotifies => mem::forget(task.run_quietly()),
            _ => task.run(),
        }
    }

    fn next(&self, state: &mut State, number: usize) -> Option<Task> {
        let queue = &mut state.queue;
        let first = match self.fault {
            NeverRunsATask if state.closed.is_none() => return None,
            StartsTheNewestFirst => queue.len().checked_sub(1)?,
            IgnoresPriorities => 0,
            GivesTasksToWorkersInTurn => {
                queue.iter().position(|task| task.id().as_u64() as usize % self.width == number)?
            }
            _ => {
                let highest = queue.iter().map(Task::priority).max()?;
                queue.iter().position(|task| task.priority() == highest)?
            }
        };
        queue.remove(first)
    }

    fn schedule(&self, task: Task) -> Result<(), Error> {
        let host = *self.host.lock().expect("no panic while it is locked");
        let own = executor_core::task::worker_host() == host && self.fault != BlocksItsOwnWorkersWhenFull;
        if self.fault != DoesNotHelpWaiters {
            task.attach(host);
        }
        let mut state = self.lock();
        loop {
            if state.closed.is_some() && self.fault != AcceptsTasksAfterClose {
                let kind = if self.fault == RefusesWithTheWrongKind { ErrorKind::Other } else { ErrorKind::ShutDown };
                if self.fault == KeepsRefusedTasks {
                    state.refused.push(task);
                }
                return Err(Error::new(kind, "this pool was shut down"));
            }
            if own || state.admitted.remove(&task.id()) {
                break;
            }
            let is_next = state.line.is_empty() || self.fault == LetsBlockedSubmittersOvertake && task.may_wait();
            if is_next && self.has_room(&state) {
                break;
            }
            if self.fault == NeverBlocksSubmit || !task.may_wait() && self.fault != BlocksTrySubmit {
                return Err(Error::new(ErrorKind::QueueFull, "this pool is full"));
            }
            state = self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
            if self.fault == LeavesBlockedSubmitters && state.closed.is_some() && !state.queue.is_empty() {
                // A pool with this fault does not wake blocked submitters when it is closed.
                state = self
                    .changed
                    .wait_while(state, |state| !state.queue.is_empty())
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
            }
        }
        state.scheduled += 1;
        match self.fault {
            DropsEveryTask => return Ok(()),
            DropsEveryTenthTask if state.scheduled % 10 == 0 => return Ok(()),
            ForgetsEveryTenthTask if state.scheduled % 10 == 0 => mem::forget(task),
            StartsAThreadForEachTask => {
                drop(state);
                self.spawn(|_| task.run());
                return Ok(());
            }
            _ => state.queue.push_back(task),
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    fn has_room(&self, state: &State) -> bool {
        let counts = |task: &&Task| self.fault == CountsCancelledTasksAsQueued || !task.has_left_queue();
        let overtakes = matches!(self.fault, LetsBlockedSubmittersOvertake | LetsAsyncSubmittersOvertake);
        let admitted = if overtakes { 0 } else { state.admitted.len() };
        self.fault == HasNoBound || state.queue.iter().filter(counts).count() + admitted < self.capacity
    }

    /// Admits async submitters while there is room. The caller notifies them without the lock.
    fn admit(&self, state: &mut State) -> Vec<Admitted> {
        let mut admitted = Vec::new();
        while self.has_room(state) && self.fault != NeverAdmitsAsyncSubmitters {
            let Some((task, submitter)) = state.line.admit_next() else { break };
            state.admitted.insert(task);
            admitted.push(submitter);
        }
        admitted
    }

    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut state = self.lock();
        if state.closed.is_some() {
            return Poll::Ready(Err(Error::new(ErrorKind::ShutDown, "this pool was shut down")));
        }
        let is_next = state.line.is_empty() || self.fault == LetsAsyncSubmittersOvertake;
        if is_next && self.has_room(&state) {
            state.admitted.insert(task.id());
        }
        if state.admitted.contains(&task.id()) {
            return Poll::Ready(Ok(()));
        }
        state.line.join_async(task.id(), context.waker().clone());
        Poll::Pending
    }

    fn give_up_room(&self, task: &Task) {
        if self.fault == KeepsTheRoomOfDroppedSubmitters {
            return;
        }
        let mut state = self.lock();
        state.line.leave(task.id());
        state.admitted.remove(&task.id());
        let submitters = self.admit(&mut state);
        drop(state);
        submitters.into_iter().for_each(Admitted::notify);
        self.changed.notify_all();
    }

    fn close(&self, mode: Shutdown) {
        let mut state = self.lock();
        let seen = state.closed;
        let milder = seen.is_some_and(|seen| severity(seen) >= severity(mode));
        match self.fault {
            AppliesTheFirstClose if seen.is_some() => {}
            AppliesTheLastClose => state.closed = Some(mode),
            _ if milder => {}
            _ => state.closed = Some(mode),
        }
        let cancels = match self.fault {
            DrainsWhenItShouldCancel => false,
            CancelsWhenItShouldDrain => true,
            AppliesTheFirstClose if seen.is_some() => false,
            // The workers cancel the tasks, by the mode of the last `close`.
            AppliesTheLastClose => false,
            _ => severity(mode) > 0,
        };
        let rest = if cancels { mem::take(&mut state.queue) } else { VecDeque::new() };
        let submitters = if self.fault == LeavesAsyncSubmitters { Vec::new() } else { state.line.dissolve() };
        drop(state);
        submitters.into_iter().for_each(Admitted::notify);
        self.changed.notify_all();
        for task in rest {
            drop(task.withdraw());
        }
        if self.fault == WaitsInClose {
            self.join(None);
        }
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        let mut state = self.lock();
        let current = thread::current().id();
        let own = state.handles.iter().any(|handle| handle.thread().id() == current);
        match self.fault {
            JoinsEarly => return true,
            JoinsWithoutClose if state.closed.is_none() => return true,
            JoinsOnlyOnce if state.joined => loop {
                thread::park();
            },
            _ if own && self.fault != JoinsItself => return false,
            _ => {}
        }
        let left = |state: &mut State| state.alive > 0 || state.closed.is_none();
        let timeout = timeout.unwrap_or(Duration::MAX);
        state = match self.changed.wait_timeout_while(state, timeout, left) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        };
        if left(&mut state) {
            return false;
        }
        state.joined = true;
        if self.fault == JoinsBeforeThreadsEnd {
            return true;
        }
        let handles = mem::take(&mut state.handles);
        drop(state);
        for handle in handles {
            let _ = handle.join();
        }
        true
    }
}

impl Host for Shared {
    fn left_queue(&self, _: TaskId) {
        self.changed.notify_all();
        let submitters = self.admit(&mut self.lock());
        submitters.into_iter().for_each(Admitted::notify);
    }
}

impl Backend for Pool {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.shared.schedule(task)
    }

    fn close(&self, mode: Shutdown) {
        self.shared.close(mode);
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        self.shared.join(timeout)
    }

    fn max_workers(&self) -> usize {
        self.shared.width
    }

    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll_room(task, context)
    }

    fn give_up_room(&self, task: &Task) {
        self.shared.give_up_room(task);
    }

    fn handle(&self) -> Option<Arc<dyn Backend>> {
        match self.shared.fault {
            HasNoHandle => None,
            KeepsRunningForItsHandle => Some(Arc::new(Pool::new(Nothing, &Setup::workers(1)))),
            _ => Some(Arc::new(Handle(Arc::downgrade(&self.shared)))),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.shared.fault == DiscardsTasksWhenDropped {
            let rest = mem::take(&mut self.shared.lock().queue);
            drop(rest);
        }
        self.close(Shutdown::Drain);
        if self.shared.fault != DropsWithoutWaiting {
            self.join(None);
        }
    }
}

struct Handle(Weak<Shared>);

impl Backend for Handle {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        match self.0.upgrade() {
            Some(shared) => shared.schedule(task),
            None => Err(Error::new(ErrorKind::ShutDown, "this pool is gone")),
        }
    }
    fn close(&self, _: Shutdown) {}
    fn join(&self, _: Option<Duration>) -> bool {
        true
    }
    fn max_workers(&self) -> usize {
        0
    }
    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.0.upgrade() {
            Some(shared) => shared.poll_room(task, context),
            None => Poll::Ready(Err(Error::new(ErrorKind::ShutDown, "this pool is gone"))),
        }
    }
    fn give_up_room(&self, task: &Task) {
        if let Some(shared) = self.0.upgrade() {
            shared.give_up_room(task);
        }
    }
}
