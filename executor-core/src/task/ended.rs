//! How a task that ran on a thread of this process has ended.

use super::state::End;

/// How a task that ran on a thread of this process has ended, for back-ends that count. See
/// [`Started::run_to_end`](super::Started::run_to_end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// With a value. A `Result` that the function returns is a value, even an `Err`.
    Value,
    /// With an error that is not a panic, for example because its argument could not be decoded.
    Error,
    /// With a panic.
    Panic,
}

impl Ended {
    #[inline]
    pub(super) fn of(end: End) -> Ended {
        if end == End::Value { Ended::Value } else { Ended::of_rare(end) }
    }

    #[cold]
    fn of_rare(end: End) -> Ended {
        match end {
            End::Value | End::Packed => Ended::Value,
            End::Panicked => Ended::Panic,
            End::Failed | End::Cancelled | End::PackedError => Ended::Error,
        }
    }
}
