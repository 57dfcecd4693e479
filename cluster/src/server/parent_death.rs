//! The end of a server whose program is killed.
#![allow(unsafe_code)]

use std::process::Command;

/// Makes the system kill the program when the thread that starts it ends, where the system can.
pub(super) fn follow(command: &mut Command) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt as _;

        use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

        let parent = getpid();
        let prepare = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // This process may have been killed before the call.
            if getppid() == Some(parent) { Ok(()) } else { Err(std::io::ErrorKind::NotFound.into()) }
        };
        // SAFETY: the closure runs in a forked child, and only makes system calls, which are async-signal-safe.
        unsafe { command.pre_exec(prepare) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}
