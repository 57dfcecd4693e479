//! The limits of a worker: memory, core dumps, and those of a sandbox.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::sys::{
    policy::Limits,
    process::{LIMITED_MEMORY, NO_CORE_DUMP},
};

/// Limits the memory of this process to this many bytes. An allocation beyond that fails, which in Rust ends the
/// process.
pub(crate) fn limit_memory(bytes: u64) -> io::Result<()> {
    let before = getrlimit(LIMITED_MEMORY);
    let maximum = before.maximum.map_or(bytes, |maximum| maximum.min(bytes));
    Ok(setrlimit(LIMITED_MEMORY, Rlimit { current: Some(maximum), maximum: Some(maximum) })?)
}

/// Turns core dumps of this process and of its children off, or on as far as the hard limit allows.
pub(crate) fn limit_core_dumps(wanted: bool) -> io::Result<()> {
    let before = getrlimit(Resource::Core);
    let limit = if wanted {
        Rlimit { current: before.maximum, maximum: before.maximum }
    } else {
        let none = before.maximum.map_or(NO_CORE_DUMP, |maximum| maximum.min(NO_CORE_DUMP));
        Rlimit { current: Some(none), maximum: Some(none) }
    };
    Ok(setrlimit(Resource::Core, limit)?)
}

/// How many signals may wait for a process in a sandbox. Programs need one or two.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MOST_SIGNALS: u64 = 64;

/// Limits how many signals may wait for this process. They count for all processes of the user, which could otherwise
/// send none. While the user has more of them, a signal arrives without what it says about its sender.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn limit_signals() -> io::Result<()> {
    lower(Resource::Sigpending, MOST_SIGNALS, MOST_SIGNALS)
}

/// Sets the limits of a sandbox, which cannot be raised again.
pub(crate) fn limit_all(limits: &Limits) -> io::Result<()> {
    lower(Resource::Nofile, limits.open_files, limits.open_files)?;
    if let Some(bytes) = limits.file_size {
        lower(Resource::Fsize, bytes, bytes)?;
    }
    if let Some(seconds) = limits.cpu_time {
        // The first limit ends a process by a signal that tells the reason, and the second one kills it.
        lower(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    }
    Ok(())
}

fn lower(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let maximum = maximum.min(getrlimit(resource).maximum.unwrap_or(u64::MAX));
    Ok(setrlimit(resource, Rlimit { current: Some(current.min(maximum)), maximum: Some(maximum) })?)
}
