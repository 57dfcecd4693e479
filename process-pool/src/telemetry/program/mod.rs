//! The program's part: what reads the pipes of workers, and hands events and records to the subscriber and the logger.

mod callsites;
mod delivery;
mod queue;
mod reader;
mod shared;
mod span;
mod task;

use std::{fmt, sync::Arc};

use tracing::{Dispatch, dispatcher, subscriber::NoSubscriber};

use super::Levels;
use callsites::Share;
use queue::Queue;
pub(crate) use reader::Reader;
use shared::Shared;
pub(crate) use span::TaskSpan;
pub(crate) use task::TaskTelemetry;

/// A pool's part of this module, or nothing if the pool forwards no events. A clone stands for the same.
#[derive(Clone, Default)]
pub(crate) struct Telemetry(Option<Arc<Shared>>);

impl Telemetry {
    /// Makes what forwards events to the subscriber of the calling thread.
    pub(crate) fn to_caller() -> Telemetry {
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let dispatch = (!dispatch.is::<NoSubscriber>()).then_some(dispatch);
        Telemetry(Some(Arc::new(Shared { queue: Queue::default(), share: Share::default(), dispatch })))
    }

    /// Returns what a worker that is started now must send.
    pub(crate) fn levels(&self) -> Levels {
        self.0.as_ref().map_or_else(Levels::default, |_| Levels::of_program())
    }

    /// Returns the part of a task that the calling thread submits. This calls the subscriber.
    pub(crate) fn begin_task(&self) -> TaskTelemetry {
        self.0.as_ref().map_or_else(TaskTelemetry::default, |shared| TaskTelemetry::begin(shared.clone()))
    }

    /// Calls `send` if the callback thread must be made to [deliver](Telemetry::deliver) what is in the queue. Returns
    /// what that returns, or `true`.
    #[must_use]
    pub(crate) fn schedule(&self, send: impl FnOnce(Telemetry) -> bool) -> bool {
        let Some(shared) = &self.0 else { return true };
        let Some(delivery) = shared.queue.due() else { return true };
        let is_sent = send(self.clone());
        shared.queue.note_scheduled(delivery);
        is_sent
    }

    /// Calls the subscriber and the logger with what is in the queue. Returns `true` if more waits.
    pub(crate) fn deliver(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.deliver())
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Telemetry").field(&self.0.is_some()).finish()
    }
}
