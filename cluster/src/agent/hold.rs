//! A copy of a task that an agent has.

use std::time::Duration;

use executor_core::{TaskId, codec::Bytes};

use crate::wire::Peer;

/// A copy of a task that an agent has. It passes through the states in their order, or is let go in one of the first
/// two.
pub(super) struct Hold<S, D> {
    pub(super) client: Peer,
    pub(super) task: TaskId,
    pub(super) state: State<S, D>,
}

pub(super) enum State<S, D> {
    /// It was delivered.
    Waiting { submission: S, delivery: D, priority: i32, since: Duration },
    /// The client was asked, first at `since` and last at `sent`.
    Asked { submission: S, delivery: D, since: Duration, sent: Duration },
    /// The client has granted it. `stop` is how it was told to stop, if it was.
    Running { stop: Option<Option<Duration>> },
    /// It has an outcome, which was sent, and is sent again after the pause.
    Finished { outcome: Bytes, died: bool, sent: Duration, pause: Duration },
}
