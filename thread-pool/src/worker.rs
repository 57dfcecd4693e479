//! The loop of a worker.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_deque::Worker as Deque;
use executor_core::{Error, ErrorKind, Future, Task, spin::Patience, task};

use crate::{
    fairness::{Exception, PollCount, PollOrder, Source},
    initializer::initialize,
    local,
    pool::Pool,
    sleep::Sleeper,
    unwind::AbortOnUnwind,
};

/// What a worker's thread is started with.
pub(crate) struct Start {
    pub(crate) pool: Arc<Pool>,
    pub(crate) index: usize,
    pub(crate) deque: Deque<Task>,
    pub(crate) sleeper: Sleeper,
    /// Run first, in the new thread.
    pub(crate) initializer: Option<(Task, Future<()>)>,
}

/// A worker, in its thread.
struct Worker {
    pool: Arc<Pool>,
    index: usize,
    /// Tasks that this worker's tasks submitted. Others steal from its other end.
    deque: Rc<Deque<Task>>,
    sleeper: Sleeper,
    patience: Patience,
    /// How long to rest before each look while searching.
    rest: Duration,
    /// Tasks that were found one after the other since the last search.
    in_a_row: u32,
    polls: PollCount,
}

/// The bounds of `rest`. A worker that is faster than those who submit follows at their heels, and takes the queue out
/// of their hands with every look, which makes a submit several times as dear. So a worker that has found several tasks
/// in a row rests for longer when they are at an end, and finds more of them next time; one that finds them singly is
/// soon back.
const SHORTEST_REST: Duration = Duration::from_nanos(125);
const LONGEST_REST: Duration = Duration::from_micros(1);

impl Start {
    /// The whole life of a worker's thread.
    pub(crate) fn run(self) {
        // User code is caught by the core. A worker that got lost otherwise would leave its pool waiting for it for
        // ever.
        let guard = AbortOnUnwind;
        let Start { pool, index, deque, sleeper, initializer } = self;
        let name = std::thread::current().name().unwrap_or_default().to_string();
        let entered = task::enter_stoppable_worker(name, pool.host(), pool.stop_all.clone());
        if let Some(initializer) = initializer
            && let Err(error) = initialize(initializer)
        {
            pool.break_down(Error::new(
                ErrorKind::Broken,
                format!(
                    "{} is broken and runs nothing any more: {error}; build a new one with a mended initializer",
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
            patience: Patience::new(),
            rest: SHORTEST_REST,
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
    /// The next task, as soon as there is one, and whether this worker counts as searching. None: it has left the pool.
    fn next(&mut self) -> Option<(Task, bool)> {
        if let Some(task) = self.take() {
            self.in_a_row += 1;
            return Some((task, false));
        }
        self.polls.reset();
        let several = std::mem::take(&mut self.in_a_row) > 0;
        self.rest = if several { LONGEST_REST } else { (self.rest / 2).max(SHORTEST_REST) };
        let mut searching = self.pool.sleep.try_start_searching();
        loop {
            if searching && let Some(task) = self.search() {
                self.polls.reset();
                return Some((task, true));
            }
            if self.pool.sleep.is_closed() && self.pool.leave() {
                self.pool.has_left(self.index, searching);
                return None;
            }
            let asleep = Instant::now();
            self.pool.sleep.fall_asleep(&self.sleeper, searching, || self.pool.has_work());
            self.patience.slept(asleep.elapsed());
            searching = true;
        }
    }

    /// Looks around for a while.
    fn search(&mut self) -> Option<Task> {
        let mut found = None;
        let mut patience = self.patience;
        patience.spin_at(self.rest, || {
            found = self.take();
            found.is_some() || self.pool.sleep.is_closed()
        });
        self.patience = patience;
        found
    }

    /// The next task there is: the urgent ones, this worker's own, those from outside, other workers', and at last
    /// those of low priority. Now and then it is another one's turn.
    fn take(&mut self) -> Option<Task> {
        if self.polls.count() == PollOrder::Exception
            && let Some(task) = self.poll_exception()
        {
            return Some(task);
        }
        let queues = &self.pool.queues;
        queues
            .pop_high()
            .or_else(|| self.deque.pop())
            .or_else(|| queues.pop_injector())
            .or_else(|| self.pool.steal(self.index))
            .or_else(|| queues.pop_low())
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
