//! How a task that ran on a thread of this process has ended.

use super::state::End;

/// How a task that ran on a thread of this process has ended, for back-ends that count. See
/// [`Started::run_counted`](super::Started::run_counted).
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
        match end {
            End::Value | End::Packed { failed: false } => Ended::Value,
            End::Panicked => Ended::Panic,
            End::Failed | End::Cancelled | End::Packed { failed: true } => Ended::Error,
        }
    }
}
