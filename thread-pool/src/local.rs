//! The queues of the calling thread, if it is a worker.

use std::{
    cell::{Cell, RefCell},
    ptr,
    rc::Rc,
};

use crossbeam_deque::Worker as Deque;
use executor_core::{Task, host::HostId, spin::SpinBudget};

use crate::{job::Job, stale, sync::Parker};

thread_local! {
    /// The pool whose worker the calling thread is. It needs no drop, so reading it is a plain memory access.
    static POOL: Cell<HostId> = const { Cell::new(HostId::NONE) };
    /// Its queues there, for code that cannot afford `LOCAL`. The guard of [`enter`] keeps them as long as this points
    /// to them.
    static QUEUES: Cell<*const Local> = const { Cell::new(ptr::null()) };
    static LOCAL: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

/// The owner's ends of a worker's two queues, and where it sleeps in a join.
pub(crate) type Queues = ((Deque<Task>, Deque<Job>), Parker);

/// What one worker keeps for itself.
pub(crate) struct Local {
    index: usize,
    /// The tasks that this worker's tasks submitted. The first one in is the first one out, for this worker and for
    /// those that steal.
    deque: Deque<Task>,
    /// The scoped tasks that this worker's tasks spawned, and the halves of their joins. This worker takes the newest
    /// first, so that a recursion holds few of them, and those that steal take the oldest.
    scoped: Deque<Job>,
    /// Whether something may be in one of the two queues, which only this thread pushes into.
    may_have_jobs: Cell<bool>,
    /// Where this worker sleeps while it waits in a join.
    parker: Parker,
    /// How long it spins before.
    spin_budget: Cell<SpinBudget>,
    /// The number of tasks that this thread made stale. They are assumed to be in its own queues.
    stale: Cell<usize>,
    /// The number at which this thread removes them.
    stale_limit: Cell<usize>,
}

impl Local {
    pub(crate) fn new(index: usize, deque: Deque<Task>, scoped: Deque<Job>, parker: Parker) -> Local {
        let (stale, stale_limit) = (Cell::new(0), Cell::new(stale::limit(0)));
        let spin_budget = Cell::new(SpinBudget::new());
        // A worker that had the queues before may have left jobs in them.
        let may_have_jobs = Cell::new(true);
        Local { index, deque, scoped, may_have_jobs, parker, spin_budget, stale, stale_limit }
    }

    /// Returns the two queues and the parker of a worker that has left, and how many stale tasks it has counted.
    pub(crate) fn into_parts(self) -> (Queues, usize) {
        (((self.deque, self.scoped), self.parker), self.stale.get())
    }

    /// Returns the number of the worker.
    #[inline]
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Takes the oldest task that was not scoped.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Task> {
        self.deque.pop()
    }

    #[inline]
    pub(crate) fn has_scoped(&self) -> bool {
        !self.scoped.is_empty()
    }

    #[inline]
    pub(crate) fn push_scoped(&self, job: Job) {
        self.may_have_jobs.set(true);
        self.scoped.push(job);
    }

    /// Returns whether something may be in one of the two queues.
    #[inline]
    pub(crate) fn may_have_jobs(&self) -> bool {
        self.may_have_jobs.get()
    }

    /// Notes that this thread has found both queues empty.
    #[inline]
    pub(crate) fn has_no_jobs(&self) {
        self.may_have_jobs.set(false);
    }

    /// Takes the newest scoped job.
    #[inline]
    pub(crate) fn pop_scoped(&self) -> Option<Job> {
        self.scoped.pop()
    }

    pub(crate) fn spin_budget(&self) -> SpinBudget {
        self.spin_budget.get()
    }

    pub(crate) fn set_spin_budget(&self, budget: SpinBudget) {
        self.spin_budget.set(budget);
    }

    /// Sleeps until another thread wakes this worker, or did so before.
    pub(crate) fn park(&self) {
        self.parker.park();
    }
}

/// Makes the calling thread a worker of this pool, whose tasks submit to these queues, until the guard is dropped.
pub(crate) fn enter(pool: HostId, local: Rc<Local>) -> Guard {
    POOL.set(pool);
    QUEUES.set(Rc::as_ptr(&local));
    LOCAL.set(Some(local.clone()));
    Guard { _queues: local }
}

#[must_use]
pub(crate) struct Guard {
    /// It is dropped after nothing points to the queues any more.
    _queues: Rc<Local>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        POOL.set(HostId::NONE);
        QUEUES.set(ptr::null());
        LOCAL.set(None);
    }
}

/// Returns the queues of the calling thread, or null if it is not a worker. They live as long as the thread is in the
/// loop of a worker, in which it runs all its jobs.
#[inline]
pub(crate) fn queues() -> *const Local {
    QUEUES.get()
}

/// Calls a function with the queues of the calling thread, for which [`is_of`] has returned `true`.
#[inline]
pub(crate) fn with_own<R>(code: impl FnOnce(&Local) -> R) -> R {
    LOCAL.with(|local| code(local.borrow().as_ref().expect("a worker has queues until it leaves its pool")))
}

/// Returns the number of the calling worker, or `None` if it is not a worker of this pool.
pub(crate) fn index_of(pool: HostId) -> Option<usize> {
    with(pool, |local| local.index)
}

/// Calls a function with the queues of the calling thread. Returns `None` if that is not a worker of this pool.
#[inline]
fn with<R>(pool: HostId, code: impl FnOnce(&Rc<Local>) -> R) -> Option<R> {
    if !is_of(pool) {
        return None;
    }
    // A thread whose thread locals are destroyed is no longer a worker.
    LOCAL.try_with(|local| local.borrow().as_ref().map(code)).ok().flatten()
}

/// Returns whether the calling thread is a worker of this pool that has queues of its own.
#[inline]
pub(crate) fn is_of(pool: HostId) -> bool {
    POOL.get() == pool
}

/// Pushes a task into the local queue. Returns it if the calling thread is not a worker of this pool.
pub(crate) fn push(pool: HostId, task: Task) -> Result<(), Task> {
    let mut task = Some(task);
    with(pool, |local| {
        if let Some(task) = task.take() {
            local.may_have_jobs.set(true);
            local.deque.push(task);
        }
    });
    task.map_or(Ok(()), Err)
}

/// Where a stale task was counted.
#[must_use]
pub(crate) enum Counted {
    /// Not in a local queue: the calling thread is not a worker of this pool, or has no queue of its own.
    Remote,
    /// In the local queue.
    Local,
    /// In the local queue, whose stale tasks were too many and were removed.
    Removed {
        /// The caller must drop them outside of every lock.
        stale: Vec<Task>,
        /// The number of tasks that were counted in this queue but are in another one.
        missing: usize,
    },
}

/// Counts a task that the calling thread has made stale.
///
/// `publish` receives the number of this worker and its stale tasks, after they have changed.
pub(crate) fn add_stale(pool: HostId, publish: impl Fn(usize, usize)) -> Counted {
    let count = |local: &Rc<Local>| {
        local.stale.set(local.stale.get() + 1);
        let counted = if local.stale.get() >= local.stale_limit.get() { local.remove_stale() } else { Counted::Local };
        publish(local.index, local.stale.get());
        counted
    };
    with(pool, count).unwrap_or(Counted::Remote)
}

/// Subtracts one from the stale tasks of the calling thread, because it has found one. Returns `false` if it had
/// counted none, so that another thread must have counted this one. `publish` is as in [`add_stale`].
#[must_use]
pub(crate) fn uncount_stale(pool: HostId, publish: impl Fn(usize, usize)) -> bool {
    let found = |local: &Rc<Local>| match local.stale.get() {
        0 => false,
        stale => {
            local.stale.set(stale - 1);
            publish(local.index, stale - 1);
            true
        }
    };
    with(pool, found).unwrap_or(false)
}

impl Local {
    /// Removes the stale tasks from the local queues. All others are popped and pushed again, so they stay in order.
    /// Each is invisible to other workers for a moment, so the caller must wake a worker afterwards.
    fn remove_stale(&self) -> Counted {
        let mut stale = Vec::new();
        for _ in 0..self.deque.len() {
            match self.deque.pop() {
                Some(task) if task.has_left_queue() => stale.push(task),
                Some(task) => self.deque.push(task),
                None => break,
            }
        }
        // The newest scoped job is popped first, so the jobs are pushed in the reverse order.
        let mut waiting = Vec::new();
        while let Some(job) = self.scoped.pop() {
            match job {
                Job::Task(task) if task.has_left_queue() => stale.push(task),
                job => waiting.push(job),
            }
        }
        self.stale_limit.set(stale::limit(self.deque.len() + waiting.len()));
        waiting.into_iter().rev().for_each(|job| self.scoped.push(job));
        let missing = self.stale.replace(0).saturating_sub(stale.len());
        Counted::Removed { stale, missing }
    }
}
