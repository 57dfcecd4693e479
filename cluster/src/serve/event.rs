//! Why an agent ends.

use executor_core::Error;

/// What an agent waits for.
pub(super) enum Event {
    /// It was told to end.
    Stop,
    /// The server refuses it.
    Refused(Error),
    /// It has nothing left.
    Idle,
}
