//! What can happen to a worker.

use serde::{Deserialize, Serialize};

/// What happens to a worker. How each is brought about is in [`strike`](super::strike).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A panic that unwinds.
    Panic,
    /// A panic while another unwinds.
    DoublePanic,
    /// `std::process::exit(0)`: an end with success, which is none.
    ExitZero,
    /// `std::process::exit(7)`.
    ExitSeven,
    /// `_exit(9)`: an end without any handler.
    UnderscoreExit,
    /// `std::process::abort`.
    Abort,
    /// A read where no memory is.
    Segfault,
    /// A read of a mapped file behind its end.
    BusError,
    /// An instruction that no processor has.
    IllegalInstruction,
    /// `SIGKILL`, from outside where somebody outside can know when.
    Killed,
    /// `SIGTERM`, likewise.
    Terminated,
    /// A recursion without end.
    StackOverflow,
    /// Allocations beyond `memory_limit`.
    OutOfMemory,
    /// A loop without end, under a `time_limit` where that applies.
    EndlessLoop,
    /// It ignores `SIGTERM` and never ends; it is terminated with a grace where that applies.
    Deaf,
    /// `SIGSTOP`; what was running is then terminated.
    Stopped,
}

impl Fault {
    /// All of them, in the order of their declaration.
    pub const ALL: [Fault; Fault::Stopped as usize + 1] = [
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
        Fault::Deaf,
        Fault::Stopped,
    ];

    /// Its name on a command line and in the report.
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
            Fault::Deaf => "ignores-sigterm",
            Fault::Stopped => "sigstop",
        }
    }

    /// What it is, for the report.
    pub fn describe(self) -> &'static str {
        match self {
            Fault::Panic => "a panic that unwinds",
            Fault::DoublePanic => "a panic while another unwinds",
            Fault::ExitZero => "`std::process::exit(0)`",
            Fault::ExitSeven => "`std::process::exit(7)`",
            Fault::UnderscoreExit => "`_exit(9)`, which runs no handler",
            Fault::Abort => "`std::process::abort()`",
            Fault::Segfault => "a read of unmapped memory",
            Fault::BusError => "a read of a mapped file beyond its end",
            Fault::IllegalInstruction => "an instruction that no processor has",
            Fault::Killed => "`SIGKILL`, from outside; in an initializer and in an exit handler from the worker itself",
            Fault::Terminated => "`SIGTERM`, likewise",
            Fault::StackOverflow => "an endless recursion",
            Fault::OutOfMemory => "allocations beyond the pool's `memory_limit`",
            Fault::EndlessLoop => "an endless loop; the task that meets it has a `time_limit`",
            Fault::Deaf => {
                "the worker ignores `SIGTERM`, and the task never ends; it is terminated with a grace, and a worker without a task gets the signal"
            }
            Fault::Stopped => {
                "`SIGSTOP`, from outside, in an exit handler from the worker itself; the caller then terminates a running task, and short tasks have a `time_limit`"
            }
        }
    }

    /// What a worker writes to its standard error before this meets it.
    pub fn last_words(self) -> String {
        format!("this worker is about to meet {}", self.name())
    }

    /// Whether somebody outside of the worker brings it about, where that is possible.
    pub fn comes_from_outside(self) -> bool {
        matches!(self, Fault::Killed | Fault::Terminated | Fault::Stopped)
    }

    /// Whether the process ends by it, with nobody's help.
    pub fn ends_the_process(self) -> bool {
        !matches!(self, Fault::Panic | Fault::EndlessLoop | Fault::Deaf | Fault::Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_listed_once_in_its_place() {
        assert!(Fault::ALL.iter().enumerate().all(|(at, fault)| *fault as usize == at));
    }
}
