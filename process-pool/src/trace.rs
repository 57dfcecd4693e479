//! Events for `tracing`, with the feature of that name. Without it nothing of this remains in the program.
//!
//! A subscriber is the user's code: it may be slow, panic, or use the very pool. So what happens under the pool's lock
//! is noted there and told later, and what the supervisor notes is told by the [`courier`](crate::courier).

use crate::death::Death;

/// What is told.
#[derive(Debug)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "nobody is told without the feature"))]
pub(crate) enum Event {
    /// A worker was started: the first in its place, or another.
    Started { worker: String, pid: u32, again: bool },
    /// A worker was given a task.
    Assigned { task: u64, name: String, attempt: u32, worker: String },
    /// A task has come to its end.
    Done { task: u64, name: String, worker: String, has_value: Option<bool> },
    /// A worker has ended that was not told to.
    Died { worker: String, pid: u32, description: String },
    /// The pool takes no more tasks.
    Closed { pool: String, mode: executor_core::Shutdown },
    /// Every worker is gone.
    Gone { pool: String },
}

impl Event {
    pub(crate) fn died(death: &Death) -> Event {
        Event::Died { worker: death.worker.clone(), pid: death.pid, description: death.describe() }
    }
}

/// Events that have happened and were not told yet.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    #[cfg(feature = "tracing")]
    events: Vec<Event>,
}

#[cfg(not(feature = "tracing"))]
impl Trace {
    #[inline(always)]
    pub(crate) fn of_task(&mut self, _: impl FnOnce() -> Event) {}

    #[inline(always)]
    pub(crate) fn of_worker(&mut self, _: impl FnOnce() -> Event) {}

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    pub(crate) fn tell(self) {}
}

#[cfg(feature = "tracing")]
impl Trace {
    /// Notes what happens to a task. There are many of these, so they are told at the level `TRACE`.
    pub(crate) fn of_task(&mut self, event: impl FnOnce() -> Event) {
        // This asks no subscriber.
        if tracing::level_filters::LevelFilter::current() >= tracing::Level::TRACE {
            self.events.push(event());
        }
    }

    /// Notes what happens to a worker or to the pool.
    pub(crate) fn of_worker(&mut self, event: impl FnOnce() -> Event) {
        if tracing::level_filters::LevelFilter::current() >= tracing::Level::WARN {
            self.events.push(event());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Tells the subscriber. No lock is held.
    pub(crate) fn tell(self) {
        for event in self.events {
            executor_core::host::contain(|| event.tell());
        }
    }
}

#[cfg(feature = "tracing")]
impl Event {
    fn tell(&self) {
        use tracing::{debug, info, trace, warn};
        match self {
            Event::Started { worker, pid, again: false } => {
                debug!(target: "process_pool", worker, pid, "worker started");
            }
            Event::Started { worker, pid, again: true } => {
                info!(target: "process_pool", worker, pid, "worker restarted");
            }
            Event::Assigned { task, name, attempt, worker } => {
                trace!(target: "process_pool", task, name, attempt, worker, "task assigned");
            }
            Event::Done { task, name, worker, has_value } => {
                let outcome = match has_value {
                    Some(true) => "value",
                    Some(false) => "error",
                    None => "cancelled",
                };
                trace!(target: "process_pool", task, name, worker, outcome, "task done");
            }
            Event::Died { worker, pid, description } => {
                warn!(target: "process_pool", worker, pid, description, "worker died");
            }
            Event::Closed { pool, mode } => info!(target: "process_pool", pool, ?mode, "pool closed"),
            Event::Gone { pool } => info!(target: "process_pool", pool, "pool gone"),
        }
    }
}
