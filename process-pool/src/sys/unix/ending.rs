//! How a process that has ended has ended.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

/// What ended a process that did not exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It was killed, and could not do anything about it.
    Killed,
    /// It was asked to end.
    Asked,
    MemoryAccess,
    IllegalInstruction,
    Arithmetic,
    Aborted,
    ClosedPipe,
    FileTooLarge,
    ProcessorTime,
    /// It made a system call that is forbidden to it.
    RefusedCall,
    /// A signal that the program itself gives a meaning.
    Other,
}

/// Returns the signal that ended a process, or `None` if it has exited.
pub(crate) fn signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// Returns what a signal means that ended a process.
pub(crate) fn cause(signal: i32) -> Cause {
    match signal {
        libc::SIGKILL => Cause::Killed,
        libc::SIGTERM | libc::SIGINT | libc::SIGHUP => Cause::Asked,
        libc::SIGSEGV | libc::SIGBUS => Cause::MemoryAccess,
        libc::SIGILL | libc::SIGTRAP => Cause::IllegalInstruction,
        libc::SIGFPE => Cause::Arithmetic,
        libc::SIGABRT => Cause::Aborted,
        libc::SIGPIPE => Cause::ClosedPipe,
        libc::SIGXFSZ => Cause::FileTooLarge,
        libc::SIGXCPU => Cause::ProcessorTime,
        libc::SIGSYS => Cause::RefusedCall,
        _ => Cause::Other,
    }
}

/// Returns the name of a signal.
pub(crate) fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => "a signal of the program's own",
    }
}
