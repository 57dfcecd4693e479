//! A task in the hands of a worker.

use std::time::Instant;

use executor_core::codec::Bytes;

use super::Watch;
use crate::pool::job::Job;

/// How far a worker has come with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// It has not touched it.
    Waiting,
    /// It has begun to read it, and has not started it.
    Begun,
    Started,
}

/// What a worker has said of a task that it has.
pub(crate) enum Answer {
    /// Something that does not end it: the outcome of an item.
    Part,
    /// The end of it, and its outcome.
    Whole(Job, Bytes),
}

/// A task in the hands of a worker.
pub(crate) struct Flight {
    pub(crate) sequence: u64,
    pub(crate) job: Job,
    /// How many bytes had been sent to workers of this place before it was.
    pub(super) offset: u64,
    /// When it was sent, or its last outcome came: when it started, where there are no claims.
    pub(crate) since: Instant,
    /// Whether it was seen to run. That is never taken back, whatever its claim says later.
    pub(crate) was_seen: bool,
    /// For how long it runs, where it has a time limit.
    pub(crate) watch: Option<Box<Watch>>,
}

/// Names longer than this are cut on the way to a worker.
const LONGEST_NAME: usize = 256;

/// The name that was given to the task, if it is not its function's own, which the worker knows.
pub(super) fn custom_name(job: &Job) -> &str {
    let name = job.task.custom_name().unwrap_or_default();
    &name[..name.floor_char_boundary(LONGEST_NAME)]
}

/// What a task carries about where it is: the unit, and the sequence number there.
pub(crate) fn place(unit: usize, sequence: u64) -> u64 {
    (unit as u64) << 40 | sequence & ((1 << 40) - 1)
}

/// The opposite of [`place`].
pub(crate) fn unplace(place: u64) -> (usize, u64) {
    ((place >> 40) as usize, place & ((1 << 40) - 1))
}
