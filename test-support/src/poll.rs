//! Waits for conditions that cause no event.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::DEADLINE;

/// Checks a condition repeatedly until it holds.
///
/// # Panics
///
/// If it does not hold before the [`DEADLINE`].
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        thread::park_timeout(Duration::from_micros(200));
    }
}
