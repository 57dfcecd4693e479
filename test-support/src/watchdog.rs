//! Deadlines for tests.

use std::{io::Write as _, panic::resume_unwind, time::Duration};

/// This is longer than any single event takes on the busiest machine.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Runs a test, and ends the process if the test hangs, because the thread of a test cannot be stopped.
///
/// The exit code is [`conformance::HUNG`].
///
/// # Panics
///
/// If the test panics, with its payload.
pub fn watched<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let name = std::thread::current().name().unwrap_or("a test").to_string();
    watched_within(&name, DEADLINE, test)
}

/// Does the same as [`watched`], with a name for the report and another deadline. The environment variable
/// `CONFORMANCE_SCALE` extends the deadline, as it does for the rules of [`conformance`].
///
/// # Panics
///
/// As [`watched`].
pub fn watched_within<R: Send + 'static>(
    name: &str,
    deadline: Duration,
    test: impl FnOnce() -> R + Send + 'static,
) -> R {
    let deadline = deadline * scale();
    match conformance::watch("test", deadline, test) {
        Some(Ok(result)) => result,
        Some(Err(panic)) => resume_unwind(panic),
        None => {
            // Not `eprintln!`: the test harness captures its output, which is lost when the process ends.
            let _ = writeln!(std::io::stderr(), "\n{name} has not ended after {deadline:?}");
            std::process::exit(conformance::HUNG)
        }
    }
}

/// Returns the factor in the environment variable `CONFORMANCE_SCALE`, which is 1 if it is not set. Programs are many
/// times slower under an emulator.
pub fn scale() -> u32 {
    std::env::var("CONFORMANCE_SCALE").ok().and_then(|scale| scale.parse::<u32>().ok()).unwrap_or(1).max(1)
}
