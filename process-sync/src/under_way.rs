//! Sending descriptors while the user of this process has more of them under way than the limit of descriptors allows.
//!
//! The system counts what all processes of a user have sent and no one has received, so others may make room, and
//! nothing reports that they have.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a thread rests before it tries again, and for how long it tries. The limit does not change by waiting.
pub(crate) const REST: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(1);

/// The rests of a thread between its attempts.
#[derive(Debug)]
pub(crate) struct Rests {
    end: Instant,
}

impl Rests {
    /// Begins now. It ends when this kind of wait usually has an end, or at the deadline.
    pub(crate) fn until(deadline: Option<Instant>) -> Rests {
        let end = Instant::now() + PATIENCE;
        Rests { end: deadline.map_or(end, |deadline| deadline.min(end)) }
    }

    /// Rests once. Returns `false` if there is no time left.
    pub(crate) fn rest(&self) -> bool {
        let left = self.end.saturating_duration_since(Instant::now());
        thread::sleep(left.min(REST));
        !left.is_zero()
    }
}
