//! The faults that can happen to a worker.

use serde::{Deserialize, Serialize};

/// A fault of a worker. [`strike`](super::strike) makes it happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A panic that unwinds.
    Panic,
    /// A panic while another unwinds.
    DoublePanic,
    /// `std::process::exit(0)`, which is still a death of the worker.
    ExitZero,
    /// `std::process::exit(7)`.
    ExitSeven,
    /// `_exit(9)`, which runs no exit handler.
    UnderscoreExit,
    /// `std::process::abort`.
    Abort,
    /// A read of unmapped memory.
    Segfault,
    /// A read of a mapped file past its end.
    BusError,
    /// An instruction that no processor has.
    IllegalInstruction,
    /// `SIGKILL`, sent by the check where it can observe the place, and by the worker itself elsewhere.
    Killed,
    /// `SIGTERM` from another process than the one that has built the pool, or from the worker itself.
    Terminated,
    /// Endless recursion.
    StackOverflow,
    /// Allocations beyond `memory_limit`.
    OutOfMemory,
    /// An endless loop. A task has a `time_limit`.
    EndlessLoop,
    /// The worker ignores `SIGTERM` and never ends. A task is terminated with a grace period.
    IgnoresSigterm,
    /// `SIGSTOP`. The running task is then terminated.
    Stopped,
    /// A file is opened that the sandbox does not grant.
    OpensAFile,
    /// A connection is opened, which the sandbox does not grant.
    Connects,
    /// The process that has built the pool is sent a signal.
    KillsItsParent,
    /// Processes are started until the system refuses.
    ForksWithoutEnd,
}

impl Fault {
    /// All faults, in the order of their declaration.
    pub const ALL: [Fault; Fault::ForksWithoutEnd as usize + 1] = [
        Fault::Panic,
        Fault::DoublePanic,
        Fault::ExitZero,
        Fault::ExitSeven,
        Fault::UnderscoreExit,
        Fault::Abort,
        Fault::Segfault,
        Fault::BusError,
        Fault::IllegalInstruction,
        Fault::Killed,
        Fault::Terminated,
        Fault::StackOverflow,
        Fault::OutOfMemory,
        Fault::EndlessLoop,
        Fault::IgnoresSigterm,
        Fault::Stopped,
        Fault::OpensAFile,
        Fault::Connects,
        Fault::KillsItsParent,
        Fault::ForksWithoutEnd,
    ];

    /// Returns its name on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Panic => "panic",
            Fault::DoublePanic => "double-panic",
            Fault::ExitZero => "exit-0",
            Fault::ExitSeven => "exit-7",
            Fault::UnderscoreExit => "_exit",
            Fault::Abort => "abort",
            Fault::Segfault => "sigsegv",
            Fault::BusError => "sigbus",
            Fault::IllegalInstruction => "sigill",
            Fault::Killed => "sigkill",
            Fault::Terminated => "sigterm",
            Fault::StackOverflow => "stack-overflow",
            Fault::OutOfMemory => "out-of-memory",
            Fault::EndlessLoop => "endless-loop",
            Fault::IgnoresSigterm => "ignores-sigterm",
            Fault::Stopped => "sigstop",
            Fault::OpensAFile => "opens-a-file",
            Fault::Connects => "connects",
            Fault::KillsItsParent => "kills-its-parent",
            Fault::ForksWithoutEnd => "forks-without-end",
        }
    }

    /// Returns its description in the report.
    pub fn describe(self) -> &'static str {
        match self {
            Fault::Panic => "a panic that unwinds",
            Fault::DoublePanic => "a panic while another unwinds",
            Fault::ExitZero => "`std::process::exit(0)`",
            Fault::ExitSeven => "`std::process::exit(7)`",
            Fault::UnderscoreExit => "`_exit(9)`, which runs no handler",
            Fault::Abort => "`std::process::abort()`",
            Fault::Segfault => "a read of unmapped memory",
            Fault::BusError => "a read of a mapped file past its end",
            Fault::IllegalInstruction => "an instruction that no processor has",
            Fault::Killed => "`SIGKILL`, from outside; in an initializer and in an exit handler, by the worker itself",
            Fault::Terminated => {
                "`SIGTERM` from a third process, as a service manager sends it; in an initializer and in an exit handler, from the worker itself"
            }
            Fault::StackOverflow => "endless recursion",
            Fault::OutOfMemory => "allocations beyond the pool's `memory_limit`",
            Fault::EndlessLoop => "an endless loop; the victim has a `time_limit`",
            Fault::IgnoresSigterm => {
                "`SIGTERM` is ignored, and the task never ends; the caller terminates it with a grace period; a worker without the task gets the signal"
            }
            Fault::Stopped => {
                "`SIGSTOP`, from outside; in an exit handler, by the worker itself; the caller then terminates a running task; short tasks have a `time_limit`"
            }
            Fault::OpensAFile => "the worker opens `/etc/passwd`, in a sandbox",
            Fault::Connects => "the worker opens a TCP connection, in a sandbox",
            Fault::KillsItsParent => "the worker sends a signal to the program that has the pool, in a sandbox",
            Fault::ForksWithoutEnd => "the worker forks until the system refuses, in a sandbox",
        }
    }

    /// Returns what a worker writes to its standard error before this happens.
    pub fn stderr_line(self) -> String {
        format!("this worker is about to have the fault {}", self.name())
    }

    /// Returns `true` if the check makes it happen with a signal, where that is possible.
    pub fn comes_from_outside(self) -> bool {
        matches!(self, Fault::Killed | Fault::Terminated | Fault::Stopped)
    }

    /// Returns `true` if it ends the process by itself.
    pub fn ends_the_process(self) -> bool {
        match self {
            Fault::Panic | Fault::Terminated | Fault::EndlessLoop | Fault::IgnoresSigterm | Fault::Stopped => false,
            _ => !self.is_tried(),
        }
    }

    /// Returns `true` if only a sandbox prevents it. Its pools have one.
    pub fn is_forbidden(self) -> bool {
        matches!(self, Fault::OpensAFile | Fault::Connects | Fault::KillsItsParent | Fault::ForksWithoutEnd)
    }

    /// Returns `true` if honest code also does it, so that every sandbox refuses it with an error.
    fn is_tried(self) -> bool {
        matches!(self, Fault::OpensAFile | Fault::ForksWithoutEnd)
    }

    /// Returns `true` if the worker goes on as if nothing had happened.
    pub fn is_survived(self) -> bool {
        self == Fault::Terminated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_fault_in_order() {
        assert!(Fault::ALL.iter().enumerate().all(|(at, fault)| *fault as usize == at));
    }
}
