//! Events for `tracing`, with the feature of that name. Without it the compiler removes all of this.
//!
//! A subscriber is user code: it may be slow, panic, or use the same pool. So events under the pool's lock are recorded
//! there and reported later, and events that the supervisor records are reported by the [callback
//! thread](crate::callbacks).

use crate::death::Death;

/// The events of a pool.
#[derive(Debug)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "nothing is reported without the feature"))]
pub(crate) enum Event {
    /// A worker was started: the first in its slot, or (`again`) another.
    Started { worker: String, pid: u32, again: bool },
    /// A worker was given a task.
    Assigned { task: u64, name: String, attempt: u32, worker: String },
    /// A task has ended.
    Done { task: u64, name: String, worker: String, has_value: Option<bool> },
    /// A worker has died that was not told to leave.
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

/// Events that have happened and were not reported yet.
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

    pub(crate) fn report(self) {}
}

#[cfg(feature = "tracing")]
impl Trace {
    /// Records an event of a task. There are many of these, so they are reported at the level `TRACE`.
    pub(crate) fn of_task(&mut self, event: impl FnOnce() -> Event) {
        // This calls no subscriber.
        if tracing::level_filters::LevelFilter::current() >= tracing::Level::TRACE {
            self.events.push(event());
        }
    }

    /// Records an event of a worker or of the pool.
    pub(crate) fn of_worker(&mut self, event: impl FnOnce() -> Event) {
        if tracing::level_filters::LevelFilter::current() >= tracing::Level::WARN {
            self.events.push(event());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Reports the events to the subscriber. The caller holds no lock.
    pub(crate) fn report(self) {
        for event in self.events {
            executor_core::host::contain(|| event.report());
        }
    }
}

#[cfg(feature = "tracing")]
impl Event {
    fn report(&self) {
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
