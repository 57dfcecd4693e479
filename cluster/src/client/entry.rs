//! A task of a client, and the two states that it can be in.

use std::{cmp::Reverse, num::NonZeroU64, sync::Arc, time::Duration};

use executor_core::Task;

use super::publisher::Place;
use crate::wire::{Ask, Peer};

/// A task about whose start a client decides. [`Task`] is one.
pub trait Startable {
    /// Marks the task as running. Returns `false` if it was cancelled.
    fn begin(&self) -> bool;

    /// Marks a task that was running as queued. Returns `false` if it is done.
    fn recall(&self) -> bool;

    /// Returns its priority. Of the tasks that a client has not published yet, those of a higher one are published
    /// first. It must not change.
    fn priority(&self) -> i32 {
        0
    }
}

/// The bytes of a task for the engine's queue. Clones share them.
pub trait Body: Clone {
    /// Returns how many there are. The number must not change.
    fn size(&self) -> usize;
}

impl Body for Arc<Vec<u8>> {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Body for &str {
    fn size(&self) -> usize {
        self.len()
    }
}

/// A task without bytes, for tests.
impl Body for () {
    fn size(&self) -> usize {
        0
    }
}

impl Startable for Task {
    fn begin(&self) -> bool {
        Task::begin(self)
    }

    fn recall(&self) -> bool {
        Task::recall(self)
    }
    fn priority(&self) -> i32 {
        Task::priority(self)
    }
}

/// A task that is not done.
pub(super) struct Entry<T, B> {
    pub(super) work: T,
    pub(super) body: B,
    /// How many tasks were submitted before it.
    pub(super) order: u64,
    /// The number of its first publication, if there was one.
    pub(super) published: Option<NonZeroU64>,
    /// The number of the attempt that runs, or of the next one.
    pub(super) attempt: u32,
    /// How many attempts are left after this one.
    pub(super) retries: u32,
    /// How the task must stop, if it must.
    pub(super) stop: Option<Stop>,
    pub(super) state: State,
}

impl<T: Startable, B> Entry<T, B> {
    /// Returns its place among the tasks that wait to be published.
    pub(super) fn place(&self) -> Place {
        (Reverse(self.work.priority()), self.order)
    }
}

pub(super) enum State {
    /// No agent may run it, and any agent may ask for it.
    Queued(Publication),
    /// One agent may run one copy of it.
    Granted(Grant),
}

/// How far the latest copy of a queued task has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Publication {
    /// It waits to be published.
    Waiting,
    /// It was published at this time, and the engine has not confirmed it.
    Sent(Duration),
    /// The engine has confirmed it. The number is that of the confirmation.
    Stored(u64),
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
