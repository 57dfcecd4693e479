//! What an executor over rayon, its handles and its jobs share.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use crossbeam_utils::CachePadded;
use executor_core::{
    Error, ErrorKind, Task, TaskId, fork,
    host::{self, Host, HostId, IdleWatch, Registration},
    task,
};

use super::{progress::Progress, target_pool::TargetPool};
use crate::{
    fairness::{Exception, PollCount, PollOrder},
    phase::{self, Phase},
    queues::Queues,
    stale::{Stale, StaleCount},
};

/// The queues of an executor, the state of its workers, and the pool that they belong to.
pub(super) struct Shared {
    pub(super) name: Box<str>,
    pub(super) pool: TargetPool,
    /// The names of the workers, by the number of the thread.
    workers: Box<[Arc<str>]>,
    /// How often each worker has polled the queues.
    polls: Box<[CachePadded<AtomicU32>]>,
    /// What each thread is doing for this executor.
    phases: Box<[Phase]>,
    /// Threads that wait with a time-out while another thread is idle.
    idle: IdleWatch,
    pub(super) generation: fork::Generation,
    registration: Registration,
    /// For each task in these queues there is a job in the rayon pool, which takes the task that is first when it runs.
    /// A job that finds no task, because tasks were withdrawn or removed, does nothing.
    pub(super) queues: Queues,
    pub(super) progress: Progress,
    stale: StaleCount,
    pub(super) stop_all: Arc<AtomicBool>,
}

impl Shared {
    pub(super) fn new(name: String, pool: TargetPool) -> Arc<Shared> {
        Arc::new_cyclic(|shared: &Weak<Shared>| Shared {
            workers: (0..pool.len()).map(|index| worker_name(&name, index)).collect(),
            polls: (0..pool.len()).map(|_| CachePadded::default()).collect(),
            phases: (0..pool.len()).map(|_| Phase::starting()).collect(),
            idle: IdleWatch::default(),
            name: name.into(),
            pool,
            generation: fork::generation(),
            registration: host::register(shared.clone()),
            queues: Queues::default(),
            progress: Progress::default(),
            stale: StaleCount::default(),
            stop_all: Arc::default(),
        })
    }

    pub(super) fn host(&self) -> HostId {
        self.registration.id()
    }

    /// Runs the task that should start first. Each job in the rayon pool calls this once.
    pub(super) fn run_one(&self) {
        let index = self.pool.index_of_job();
        let Some(task) = self.take(index) else { return };
        let is_nested = task::worker_host() == self.host();
        let worker = self.worker(index);
        let worker = task::enter_stoppable_worker(worker, self.host(), self.stop_all.clone());
        let was_waiting = if !self.progress.runs_tasks() {
            task.withdraw().is_some()
        } else if let Some(started) = task.start() {
            // The task is claimed before this thread counts as busy, as in `Pool::run_on`.
            self.set_busy(index);
            // This drop runs callbacks, while the thread still counts as a worker.
            drop(started.run());
            if !is_nested {
                self.set_free(index);
            }
            true
        } else {
            false
        };
        if !was_waiting {
            self.stale.remove(1);
        }
        drop(worker);
        self.progress.finish();
    }

    fn set_busy(&self, worker: usize) {
        if let Some(phase) = self.phases.get(worker) {
            let _ = phase.set_busy();
        }
        self.idle.none_idle();
    }

    fn set_free(&self, worker: usize) {
        if let Some(phase) = self.phases.get(worker) {
            phase.set_free();
        }
    }

    /// Removes the stale tasks from the queues. Their jobs stay in the rayon pool, and find no task.
    #[cold]
    fn sweep(&self) {
        let stale = self.queues.remove_stale();
        self.stale.remove(stale.len());
        self.stale.set_limit(self.queues.len());
        for task in stale {
            // The last reference to a task may drop its result, which is user code.
            drop(task);
            self.progress.finish();
        }
    }

    /// Takes the task that should start first or, as [`fairness`](crate::fairness) requires, the oldest of a queue.
    fn take(&self, worker: usize) -> Option<Task> {
        let Some(polls) = self.polls.get(worker) else { return self.queues.pop() };
        // ORDERING: only this worker changes it.
        let mut count = PollCount::after(polls.load(Relaxed));
        let exceptional = match count.count() {
            PollOrder::Regular => None,
            PollOrder::Exception => match count.exception() {
                Exception::First(source) => self.queues.pop_oldest(source),
                Exception::AfterHigh(_) => None,
            },
        };
        let task = exceptional.or_else(|| self.queues.pop());
        if self.queues.is_empty() {
            count.reset();
        }
        polls.store(count.polls(), Relaxed);
        task
    }

    fn worker(&self, index: usize) -> Arc<str> {
        // There are more threads than names if the number of threads could not be determined.
        self.workers.get(index).cloned().unwrap_or_else(|| worker_name(&self.name, index))
    }

    pub(super) fn withdraw_all(&self) {
        while let Some(task) = self.queues.pop() {
            drop(task.withdraw());
            self.progress.finish();
        }
    }
}

impl Host for Shared {
    fn has_idle_worker(&self) -> bool {
        phase::is_one_free(&self.phases)
    }

    fn idle_watch(&self) -> Option<&IdleWatch> {
        Some(&self.idle)
    }

    fn run_on_fresh_stack(&self, _: Option<usize>, _: &mut (dyn FnMut() + Send)) -> Result<(), Error> {
        Err(Error::new(ErrorKind::InvalidState, "a task on a fresh stack would be outside of its rayon pool"))
    }

    fn left_queue(&self, _: TaskId) {
        if self.stale.add(1) == Stale::TooMany {
            self.sweep();
        }
    }
}

fn worker_name(executor: &str, index: usize) -> Arc<str> {
    format!("{executor}_{index}").into()
}
