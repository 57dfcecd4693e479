//! A task of a client, and the two states that it can be in.

use std::time::Duration;

use executor_core::Task;

use crate::wire::{Ask, Peer};

/// A task about whose start a client decides. [`Task`] is one.
pub trait Startable {
    /// Marks the task as running. Returns `false` if it was cancelled.
    fn begin(&self) -> bool;

    /// Marks a task that was running as queued. Returns `false` if it is done.
    fn recall(&self) -> bool;
}

impl Startable for Task {
    fn begin(&self) -> bool {
        Task::begin(self)
    }

    fn recall(&self) -> bool {
        Task::recall(self)
    }
}

/// A task that is not done.
pub(super) struct Entry<T, B> {
    pub(super) work: T,
    pub(super) body: B,
    /// The number of the attempt that runs, or of the next one.
    pub(super) attempt: u32,
    /// How many attempts are left after this one.
    pub(super) retries: u32,
    /// How the task must stop, if it must.
    pub(super) stop: Option<Stop>,
    pub(super) state: State,
}

pub(super) enum State {
    /// No agent may run it, and any agent may ask for it.
    Queued {
        /// Whether the engine has confirmed a copy.
        is_stored: bool,
        /// When it was published, or stored.
        since: Duration,
    },
    /// One agent may run one copy of it.
    Granted(Grant),
}

pub(super) struct Grant {
    pub(super) agent: Peer,
    /// The number of the ask that was granted.
    pub(super) number: u64,
}

impl Grant {
    pub(super) fn is(&self, agent: &Peer, ask: Ask) -> bool {
        self.agent == *agent && self.number == ask.number
    }
}

/// How a task must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// After what time it is stopped by force, if it is.
    pub(super) grace: Option<Duration>,
}

impl Stop {
    /// Returns the stricter one: force, and the shorter time.
    pub(super) fn stricter(before: Option<Stop>, now: Stop) -> Stop {
        let before = before.and_then(|stop| stop.grace);
        Stop { grace: before.into_iter().chain(now.grace).min() }
    }
}
