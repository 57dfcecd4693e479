//! The memory limit of a worker.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What counts against the limit: on Linux private writable memory, which is what a task allocates. Elsewhere the whole
/// address space, the program's own file included.
#[cfg(target_os = "linux")]
const COUNTED: Resource = Resource::Data;
#[cfg(not(target_os = "linux"))]
const COUNTED: Resource = Resource::As;

/// Lets this process have at most so many bytes of memory. An allocation beyond that fails, which in Rust ends the
/// process.
pub(super) fn limit_memory(bytes: u64) -> io::Result<()> {
    let before = getrlimit(COUNTED);
    let maximum = before.maximum.map_or(bytes, |maximum| maximum.min(bytes));
    Ok(setrlimit(COUNTED, Rlimit { current: Some(maximum), maximum: Some(maximum) })?)
}
