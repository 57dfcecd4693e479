//! Runs the example programs and checks what their first lines promise.
#![cfg(all(unix, feature = "threads", feature = "processes"))]

mod backends;
mod crash_proof;
mod run;
mod swap;

/// The executors that the examples know by name.
const EXECUTORS: [&str; 3] = ["inline", "threads", "processes"];
