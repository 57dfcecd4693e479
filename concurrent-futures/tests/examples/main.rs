//! Runs the example programs and checks what their documentation promises.
#![cfg(all(unix, feature = "threads", feature = "processes"))]

mod backends;
mod crash_proof;
mod panics;
mod python;
mod run;
mod swap;
mod untrusted;

/// The names of executors that the examples accept.
const EXECUTORS: [&str; 3] = ["inline", "threads", "processes"];
