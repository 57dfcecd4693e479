//! The loop of a worker.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_deque::Worker as Deque;
use executor_core::{Error, ErrorKind, Future, Task, spin::SpinBudget, task};

use crate::{
    exit_gate::Exit,
    fairness::{Exception, PollCount, PollOrder, Source},
    initializer::initialize,
    local,
    pool::Pool,
    sleep::Sleeper,
    unwind::AbortOnUnwind,
};

/// What the thread of a worker is started with.
pub(crate) struct Start {
    pub(crate) pool: Arc<Pool>,
    pub(crate) index: usize,
    pub(crate) deque: Deque<Task>,
    pub(crate) sleeper: Sleeper,
    /// The thread runs this first.
    pub(crate) initializer: Option<(Task, Future<()>)>,
}

/// The state of a worker, owned by its thread.
struct Worker {
    pool: Arc<Pool>,
    index: usize,
    /// The tasks that this worker's tasks submitted. The first one in is the first one out, for this worker and for
    /// those that steal.
    deque: Rc<Deque<Task>>,
    sleeper: Sleeper,
    spin_budget: SpinBudget,
    /// The pause before each poll while searching.
    backoff: Duration,
    /// The number of tasks found in a row since the last search.
    in_a_row: u32,
    polls: PollCount,
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
        let Start { pool, index, deque, sleeper, initializer } = self;
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
        let deque = Rc::new(deque);
        let local = local::enter(pool.host(), deque.clone());
        let mut worker = Worker {
            pool,
            index,
            deque,
            sleeper,
            spin_budget: SpinBudget::new(),
            backoff: MIN_BACKOFF,
            in_a_row: 0,
            polls: PollCount::default(),
        };
        while let Some((task, searching)) = worker.next() {
            worker.pool.run_on(index, task, searching);
        }
        drop(local);
        drop(entered);
        guard.disarm();
    }
}

impl Worker {
    /// Waits for the next task. Returns it and whether this worker counts as searching, or `None` if the worker has
    /// left the pool.
    fn next(&mut self) -> Option<(Task, bool)> {
        if let Some(task) = self.poll() {
            self.in_a_row += 1;
            return Some((task, false));
        }
        self.polls.reset();
        let several = std::mem::take(&mut self.in_a_row) > 0;
        self.backoff = if several { MAX_BACKOFF } else { (self.backoff / 2).max(MIN_BACKOFF) };
        let mut searching = self.pool.sleep.try_start_searching();
        loop {
            if searching {
                if let Some(task) = self.search() {
                    self.polls.reset();
                    return Some((task, true));
                }
            }
            if self.pool.sleep.is_closed() && self.pool.try_leave() == Exit::Left {
                self.pool.has_left(self.index, searching);
                return None;
            }
            let asleep = Instant::now();
            self.pool.sleep.fall_asleep(&self.sleeper, searching, || self.pool.has_work_for_sleeper());
            self.spin_budget.slept(asleep.elapsed());
            searching = true;
        }
    }

    /// Polls repeatedly until the spin budget is used up.
    fn search(&mut self) -> Option<Task> {
        let mut found = None;
        let mut spin_budget = self.spin_budget;
        spin_budget.spin_with_backoff(self.backoff, || {
            found = self.poll();
            found.is_some() || self.pool.sleep.is_closed()
        });
        self.spin_budget = spin_budget;
        found
    }

    /// Polls all queues once, in the order that [`fairness`](crate::fairness) describes.
    fn poll(&mut self) -> Option<Task> {
        if self.polls.count() == PollOrder::Exception {
            if let Some(task) = self.poll_exception() {
                return Some(task);
            }
        }
        let queues = &self.pool.queues;
        queues.pop_high().or_else(|| self.deque.pop()).or_else(|| queues.pop_injector()).or_else(|| self.poll_last())
    }

    /// Polls the queues that come last. It is not inlined, because the registers that it needs would be saved at each
    /// poll.
    #[inline(never)]
    fn poll_last(&self) -> Option<Task> {
        self.pool.steal(self.index).or_else(|| self.pool.queues.pop_low())
    }

    #[cold]
    fn poll_exception(&self) -> Option<Task> {
        match self.polls.exception() {
            Exception::AfterHigh(source) => self.pool.queues.pop_high().or_else(|| self.poll_source(source)),
            Exception::First(source) => self.poll_source(source),
        }
    }

    fn poll_source(&self, source: Source) -> Option<Task> {
        match source {
            Source::Own => self.deque.pop(),
            // Counted from this worker, so that workers do not all begin with the same one.
            Source::Others(round) => self.pool.steal_from(self.index, round),
            Source::Injector | Source::Low | Source::High => self.pool.queues.pop_oldest(source),
        }
    }
}
