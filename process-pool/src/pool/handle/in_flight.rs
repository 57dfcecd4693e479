//! A task that a worker has.

use std::time::Instant;

use super::limit_watch::LimitWatch;
use crate::pool::job::Job;

/// A task that was sent to a worker, and whose last outcome has not arrived.
pub(crate) struct InFlight {
    pub(crate) sequence: u64,
    pub(crate) job: Job,
    /// How many bytes had been sent to the worker before it.
    pub(super) offset: u64,
    /// When it was sent, or when its last outcome arrived. On a link without claims that is when it started.
    pub(crate) since: Instant,
    /// Whether it was ever seen to run. Once `true`, it stays so, whatever its claim is later.
    pub(crate) was_seen: bool,
    /// How long it has run, if it has a time limit.
    pub(crate) watch: Option<Box<LimitWatch>>,
}

/// How far a worker has progressed with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The worker has read nothing of it.
    Waiting,
    /// The worker has begun to read it and has not started it.
    Begun,
    Started,
}

/// A task that a worker had when it died.
pub(crate) struct Lost {
    pub(crate) sequence: u64,
    pub(crate) job: Job,
    pub(crate) reached: Reached,
}
