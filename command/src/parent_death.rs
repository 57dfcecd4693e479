//! The end of a program whose worker process is killed.
#![allow(unsafe_code)]

use std::process::Command;

/// Makes the system kill the program when the calling thread ends. Only a worker process does this, whose thread runs
/// all its tasks: a thread of a pool may end before the program does.
pub(crate) fn follow(command: &mut Command) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;

        use rustix::process::{Signal, getppid, set_parent_process_death_signal};

        let parent = rustix::process::getpid();
        let prepare = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The worker may have died before the call.
            if getppid() == Some(parent) { Ok(()) } else { Err(std::io::ErrorKind::NotFound.into()) }
        };
        // SAFETY: the closure runs in a forked child, and only makes system calls, which are async-signal-safe.
        unsafe { command.pre_exec(prepare) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}
