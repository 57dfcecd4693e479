//! A process that does nothing: start, run, wait.

use std::{process::Command, time::Instant};

/// The name in reports.
pub const NAME: &str = "fork + exec + wait of /bin/true";

/// Runs `/bin/true`, and returns how many nanoseconds it took.
///
/// # Panics
///
/// If it cannot be run.
pub fn exec() -> f64 {
    let start = Instant::now();
    let status = Command::new("/bin/true").status().expect("/bin/true runs");
    let cost = start.elapsed().as_nanos() as f64;
    assert!(status.success());
    cost
}
