//! The limits of a worker: memory, and core dumps.

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

/// Turns core dumps of this process and of what it starts off, or on as far as the hard limit lets them.
pub(super) fn limit_core_dumps(wanted: bool) -> io::Result<()> {
    /// With a limit of 0 Linux still runs a program that collects dumps, and writes the whole memory to it. Not with 1,
    /// and no file is that small.
    const NONE: u64 = if cfg!(target_os = "linux") { 1 } else { 0 };
    let before = getrlimit(Resource::Core);
    let limit = if wanted {
        Rlimit { current: before.maximum, maximum: before.maximum }
    } else {
        let none = before.maximum.map_or(NONE, |maximum| maximum.min(NONE));
        Rlimit { current: Some(none), maximum: Some(none) }
    };
    Ok(setrlimit(Resource::Core, limit)?)
}
