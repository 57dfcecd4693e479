//! The end of this process.
#![allow(unsafe_code)]

use std::io;

use rustix::process::{Signal, getpgrp, getpid, kill_process, kill_process_group};

/// Registers a function that runs when this process exits. The function registered first runs last.
pub(crate) fn at_exit(function: extern "C" fn()) -> io::Result<()> {
    // SAFETY: a function item lives as long as the process.
    if unsafe { libc::atexit(function) } == 0 { Ok(()) } else { Err(io::ErrorKind::OutOfMemory.into()) }
}

/// Exits without running exit handlers.
pub(crate) fn exit_without_handlers(code: i32) -> ! {
    // SAFETY: it ends this process immediately.
    unsafe { libc::_exit(code) }
}

/// Kills this process, and the rest of its group if it leads that.
pub(crate) fn kill_own_group() -> ! {
    let group = getpgrp();
    if group == getpid() {
        let _ = kill_process_group(group, Signal::KILL);
    }
    kill_this_process()
}

/// Kills this process, and nothing else.
pub(crate) fn kill_this_process() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    // Not reached, because that signal can be neither blocked nor handled.
    std::process::abort()
}
