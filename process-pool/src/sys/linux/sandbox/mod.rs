//! Sandboxes: what the system enforces in a worker.
//!
//! [`Cage`] says what is enforced, [`lock`](lock()) enforces it in every thread. Nothing here decides what a sandbox
//! grants.

mod capabilities;
#[cfg(all(
    target_endian = "little",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod filter;
#[cfg(not(all(
    target_endian = "little",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "no_filter.rs"]
mod filter;
mod landlock;
mod process;
mod threads;

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

pub(crate) use landlock::{ABI_OF_FILES, ABI_OF_NETWORK, ABI_OF_SIGNALS};
pub(crate) use process::{check_namespaces, close_others, forbid_gain, read_time_zone, unshare};

use crate::sys::{limits, policy::Cage};
use filter::Filter;
use landlock::Ruleset;
use threads::Restriction;

/// Whether this process is locked. A forked copy is locked as well.
static IS_LOCKED: AtomicBool = AtomicBool::new(false);

/// Returns `true` if this process is locked and cannot look for processes that it has started.
pub(crate) fn is_locked() -> bool {
    // ORDERING: written before any task runs, by the thread that runs tasks. The exit handlers of other threads run
    // after the whole process was locked, which took system calls of every thread.
    IS_LOCKED.load(Relaxed)
}

/// Returns the version of the means that restrict files and more, or an error that says why the system lacks them.
pub(crate) fn files_version() -> Result<u32, String> {
    landlock::abi().map_err(|error| match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "Landlock is turned off in this kernel: add `landlock` to its parameter `lsm`".into(),
        Some(libc::ENOSYS) => "this kernel has no Landlock, which Linux has since 5.13".into(),
        _ => format!("Landlock: {error}"),
    })
}

/// Returns an error with the reason if the system lacks filters of system calls.
pub(crate) fn check_filter() -> Result<(), String> {
    filter::check_available()
}

/// Locks every thread of this process. If this returns an error, some threads may be locked, and the process must end.
pub(crate) fn lock(cage: &Cage) -> io::Result<()> {
    let named = |what: &'static str| move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"));
    let ruleset = match cage.files {
        Some(abi) => Some(Ruleset::new(abi, &cage.grants, cage.ports.as_ref()).map_err(named("Landlock"))?),
        None => None,
    };
    let filter = cage.policy.as_ref().map(Filter::of).transpose()?;
    if let Some(policy) = cage.policy.as_ref().filter(|policy| policy.processes) {
        process::keep_for_programs(policy.channel)?;
    }
    let restriction =
        Restriction { ruleset: ruleset.as_ref().map(|ruleset| ruleset.number()), capabilities: cage.capabilities };
    restriction.apply_everywhere()?;
    drop(ruleset);
    // Only now, because the signals by which threads restrict themselves must say who has sent them.
    limits::limit_signals().map_err(named("the limit of signals"))?;
    if let Some(filter) = filter {
        filter.install().map_err(named("seccomp"))?;
    }
    IS_LOCKED.store(true, Relaxed);
    Ok(())
}
