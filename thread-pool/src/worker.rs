//! The loop of a worker.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind, spin::SpinBudget, task};

use crate::{
    exit_gate::Exit,
    fairness::{Exception, PollCount, PollOrder, ScopedOrder, ScopedPolls, Source},
    initializer::{RunTask, initialize},
    job::Job,
    local::{self, Local},
    pool::{Place, Pool},
    sleep::{AfterSleep, Sleeper},
    unwind::AbortOnUnwind,
};

/// What the thread of a worker is started with.
pub(crate) struct Start {
    pub(crate) pool: Arc<Pool>,
    pub(crate) index: usize,
    pub(crate) place: Place,
    /// Whether it was started for a task, after the pool was built.
    pub(crate) is_late: bool,
    /// The thread runs this first.
    pub(crate) initializer: Option<RunTask>,
}

/// The state of a worker, owned by its thread.
struct Worker {
    pool: Arc<Pool>,
    index: usize,
    local: Rc<Local>,
    sleeper: Sleeper,
    spin_budget: SpinBudget,
    /// The pause before each poll while searching.
    backoff: Duration,
    /// The number of tasks found in a row since the last search.
    in_a_row: u32,
    /// Whether the pool no longer counts this worker, which must leave.
    leaves: bool,
    polls: PollCount,
    scoped_polls: ScopedPolls,
}

/// The bounds of the backoff. A worker that is faster than the submitters takes each task right after its push. With
/// every poll it takes the cache lines of the queue away from them, which makes a submit several times as expensive. So
/// a worker that has found several tasks in a row uses the longer backoff, and finds more tasks next time. One that
/// finds single tasks soon returns to the shorter backoff.
const MIN_BACKOFF: Duration = Duration::from_nanos(125);
const MAX_BACKOFF: Duration = Duration::from_micros(1);

impl Start {
    /// Runs the worker until it leaves the pool.
    pub(crate) fn run(self) {
        // `executor-core` catches panics of user code. Any other panic would end the worker without leaving the pool,
        // which would then wait for it forever.
        let guard = AbortOnUnwind;
        let Start { pool, index, place: Place { queues, sleeper }, is_late, initializer } = self;
        pool.threads.add_current();
        let name = std::thread::current().name().unwrap_or_default().to_string();
        let entered = task::enter_stoppable_worker(name, pool.host(), pool.stop_all.clone());
        if let Some(Err(error)) = initializer.map(initialize) {
            pool.break_down(Error::new(
                ErrorKind::Broken,
                format!(
                    "{} is broken and runs nothing any more: {error}; fix the initializer and build a new pool",
                    pool.name
                ),
            ));
        }
        pool.has_started(index);
        let ((deque, scoped), parker) = queues;
        let local = Rc::new(Local::new(index, deque, scoped, parker));
        let in_pool = local::enter(pool.host(), local.clone());
        let mut worker = Worker {
            pool,
            index,
            local,
            sleeper,
            spin_budget: SpinBudget::new(),
            backoff: MIN_BACKOFF,
            in_a_row: 0,
            leaves: false,
            polls: PollCount::default(),
            scoped_polls: ScopedPolls::default(),
        };
        if is_late {
            worker.search_first();
        }
        while let Some((job, searching)) = worker.next() {
            worker.pool.run_job_on(index, job, searching);
        }
        drop(in_pool);
        let Worker { pool, local, sleeper, .. } = worker;
        if let Ok(local) = Rc::try_unwrap(local) {
            let (queues, stale) = local.into_parts();
            pool.return_place(index, Place { queues, sleeper });
            pool.leave_behind(stale);
        }
        drop(entered);
        guard.disarm();
    }
}

impl Worker {
    /// Waits for the next job. Returns it and whether this worker counts as searching, or `None` if the worker has
    /// left the pool.
    #[inline(always)]
    fn next(&mut self) -> Option<(Job, bool)> {
        if let Some(job) = self.poll() {
            self.in_a_row += 1;
            return Some((job, false));
        }
        self.search_or_sleep()
    }

    /// Waits for a job after a poll that has found none.
    #[inline(never)]
    fn search_or_sleep(&mut self) -> Option<(Job, bool)> {
        self.polls.reset();
        self.scoped_polls.reset();
        let several = std::mem::take(&mut self.in_a_row) > 0;
        self.backoff = if several { MAX_BACKOFF } else { (self.backoff / 2).max(MIN_BACKOFF) };
        let mut searching = self.pool.sleep.try_start_searching();
        loop {
            if searching {
                if let Some(job) = self.search() {
                    self.polls.reset();
                    return Some((job, true));
                }
            }
            if std::mem::take(&mut self.leaves) {
                self.pool.stop_searching(searching);
                searching = false;
                if self.pool.try_leave_to_others() == Exit::Left {
                    self.pool.has_left(self.index, false);
                    return None;
                }
                self.pool.sleep.stays();
            }
            if self.pool.sleep.is_closed() && self.pool.try_leave() == Exit::Left {
                self.pool.has_left(self.index, searching);
                return None;
            }
            let asleep = Instant::now();
            match self.pool.sleep.fall_asleep(&self.sleeper, searching, || self.pool.has_work_for_sleeper()) {
                AfterSleep::Awake => searching = true,
                AfterSleep::Leaves => (searching, self.leaves) = (false, true),
            }
            self.spin_budget.slept(asleep.elapsed());
        }
    }

    /// Searches as a worker that was woken does: if it finds a task and there are more, it looks for the next worker,
    /// because the submitters of those tasks may have relied on an earlier searcher.
    fn search_first(&mut self) {
        self.pool.sleep.start_searching();
        match self.search() {
            Some(job) => self.pool.run_job_on(self.index, job, true),
            None => self.pool.stop_searching(true),
        }
    }

    /// Polls repeatedly until the spin budget is used up.
    fn search(&mut self) -> Option<Job> {
        let mut found = None;
        let mut spin_budget = self.spin_budget;
        spin_budget.spin_with_backoff(self.backoff, || {
            found = self.poll_again();
            found.is_some() || self.pool.sleep.is_closed()
        });
        self.spin_budget = spin_budget;
        found
    }

    /// Polls as [`poll`](Worker::poll) does, which is part of the loop that runs the tasks.
    #[inline(never)]
    fn poll_again(&mut self) -> Option<Job> {
        self.poll()
    }

    /// Polls all queues once, in the order that [`fairness`](crate::fairness) describes.
    #[inline(always)]
    fn poll(&mut self) -> Option<Job> {
        if self.polls.count() == PollOrder::Exception {
            // A worker that finds tasks without end notices here that the pool has too many workers.
            if self.pool.sleep.has_surplus() && self.leaves_surplus() {
                return None;
            }
            if let Some(job) = self.poll_exception() {
                return Some(job);
            }
        }
        if let Some(task) = self.pool.queues.pop_high() {
            return Some(Job::Task(task));
        }
        if self.local.may_have_jobs() {
            if let Some(job) = self.poll_own() {
                return Some(job);
            }
        }
        match self.pool.queues.pop_injector() {
            Some(task) => Some(Job::Task(task)),
            None => self.poll_last(),
        }
    }

    /// Polls the worker's own queues.
    #[inline(never)]
    fn poll_own(&mut self) -> Option<Job> {
        if self.local.has_scoped() {
            if let Some(job) = self.poll_scoped() {
                return Some(job);
            }
        }
        let task = self.local.pop();
        if task.is_none() {
            self.local.has_no_jobs();
        }
        task.map(Job::Task)
    }

    /// Takes the newest of the worker's scoped jobs or, as [`fairness`](crate::fairness) requires, another task.
    fn poll_scoped(&mut self) -> Option<Job> {
        let fair = match self.scoped_polls.count() {
            ScopedOrder::Newest => None,
            ScopedOrder::Oldest => self.pool.steal_scoped(self.index),
            ScopedOrder::OldestOfOther(round) => self.pool.steal_scoped_from(self.index, round),
            ScopedOrder::Submitted => self.local.pop().map(Job::Task),
        };
        fair.or_else(|| self.local.pop_scoped())
    }

    /// Returns `true` if this worker must leave because there are too many.
    #[cold]
    fn leaves_surplus(&mut self) -> bool {
        self.leaves = self.leaves || self.pool.sleep.try_leave_awake();
        self.leaves
    }

    /// Polls the queues that come last. It is not inlined, because the registers that it needs would be saved at each
    /// poll.
    #[inline(never)]
    fn poll_last(&self) -> Option<Job> {
        self.pool.steal(self.index).or_else(|| self.pool.queues.pop_low().map(Job::Task))
    }

    #[cold]
    fn poll_exception(&self) -> Option<Job> {
        match self.polls.exception() {
            Exception::AfterHigh(source) => {
                self.pool.queues.pop_high().map(Job::Task).or_else(|| self.poll_source(source))
            }
            Exception::First(source) => self.poll_source(source),
        }
    }

    fn poll_source(&self, source: Source) -> Option<Job> {
        match source {
            Source::Own => self.local.pop().map(Job::Task),
            // Counted from this worker, so that workers do not all begin with the same one.
            Source::Others(round) => self.pool.steal_from(self.index, round, !self.local.has_scoped()),
            Source::Injector | Source::Low | Source::High => self.pool.queues.pop_oldest(source).map(Job::Task),
        }
    }
}
