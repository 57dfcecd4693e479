//! Waiting until an object is in another state.

use std::time::{Duration, Instant};

use executor_core::Error;

use crate::{
    lock::word::Rest,
    object::Object,
    sleep::{EventCount, LONGEST_SLEEP},
};

/// How long a thread sleeps before it checks again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sleep {
    /// It waits for what a process has, and which a death gives back. It asks for deaths, and more often.
    ForHolder(Rest),
    /// It waits for what other threads will do.
    ForChange,
}

impl Sleep {
    pub(crate) const fn for_holder() -> Sleep {
        Sleep::ForHolder(Rest::new())
    }

    /// Returns the length of the next sleep. `None` means that the deadline has passed.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Option<Duration> {
        match (self, deadline) {
            (Sleep::ForHolder(rest), deadline) => rest.next(deadline),
            (Sleep::ForChange, None) => Some(LONGEST_SLEEP),
            (Sleep::ForChange, Some(deadline)) => {
                let left = deadline.saturating_duration_since(Instant::now());
                (!left.is_zero()).then(|| left.min(LONGEST_SLEEP))
            }
        }
    }
}

/// Which call of an attempt it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    First,
    /// The thread will sleep if this fails, so it also asks whether processes have died.
    BeforeSleep,
}

/// Repeats an attempt until it returns something, and sleeps in between. Returns `None` at the deadline, after a last
/// attempt.
pub(crate) fn wait_until<R>(
    object: &Object,
    events: EventCount,
    mut sleep: Sleep,
    deadline: Option<Instant>,
    mut attempt: impl FnMut(Attempt) -> Result<Option<R>, Error>,
) -> Result<Option<R>, Error> {
    if let Some(result) = attempt(Attempt::First)? {
        return Ok(Some(result));
    }
    loop {
        let prepared = events.prepare(&object.memory);
        if let Some(result) = attempt(Attempt::BeforeSleep)? {
            return Ok(Some(result));
        }
        let Some(time) = sleep.next(deadline) else { return Ok(None) };
        events.sleep(&object.memory, prepared, time);
    }
}
