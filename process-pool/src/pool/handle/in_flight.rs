//! A task that a worker has.

use std::time::Instant;

use super::limit_watch::LimitWatch;
use crate::pool::job::Job;

/// A task that was sent to a worker, and whose last outcome has not come.
pub(crate) struct InFlight {
    pub(crate) sequence: u64,
    pub(crate) job: Job,
    /// How many bytes had been sent to the worker before it.
    pub(super) offset: u64,
    /// When it was sent, or its last outcome came. On a link without claims that is when it started.
    pub(crate) since: Instant,
    /// Whether it was seen to run. That is never taken back, whatever its claim is later.
    pub(crate) was_seen: bool,
    /// For how long it has run, if it has a time limit.
    pub(crate) watch: Option<Box<LimitWatch>>,
}

/// How far a worker has come with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// It has read nothing of it.
    Waiting,
    /// It has begun to read it, and has not started it.
    Begun,
    Started,
}

/// A task that a worker had when it died.
pub(crate) struct Lost {
    pub(crate) sequence: u64,
    pub(crate) job: Job,
    pub(crate) reached: Reached,
}
