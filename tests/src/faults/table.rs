//! The table of what the caller sees of every fault at every place.
//!
//! A missing row or place does not compile.

use executor_core::ErrorKind::{self, Panicked, Terminated, TimeLimit, WorkerDied};

use super::{Fault, Place};

/// What the caller sees of one fault at one place.
///
/// In every case all other tasks succeed, the pool gets back to its full number of workers, and nothing is left behind
/// when it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The victim fails like this. Its worker is replaced, unless the victim panicked.
    Fails(Failure),
    /// The victim succeeds, and its worker goes on.
    Arrives,
    /// No task is lost, and the worker goes on.
    NoLoss,
    /// No task is lost, and the worker is replaced.
    Replaced,
    /// The task that the worker was running fails like this, if there was one, and the worker is replaced.
    MayFail(Failure),
    /// The pool is broken after a bounded number of starts, for this reason.
    Breaks(Failure),
    /// Tasks wait for the worker and can be cancelled. Closing the pool without draining ends it.
    Waits,
}

/// How a task fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of its error.
    pub kind: ErrorKind,
    /// How its worker ended, according to the error.
    pub end: End,
    /// The text of the message. `{pid}` stands for the process id of the worker, `{pool}` for the name of the pool, and
    /// `…` for text that depends on the run.
    says: &'static str,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The error does not contain it.
    Unknown,
    /// With this exit code.
    Code(i32),
    /// By this signal, which has this name.
    Signal(i32, &'static str),
}

macro_rules! exit {
    ($code:literal) => {
        Failure {
            kind: WorkerDied,
            end: End::Code($code),
            says: concat!(
                "worker process {pid} ({pool}_…) exited with code ",
                $code,
                ": something in it called exit; return an error instead"
            ),
        }
    };
}

macro_rules! signal {
    ($signal:ident, $number:literal, $cause:literal) => {
        Failure {
            kind: WorkerDied,
            end: End::Signal(libc::$signal, stringify!($signal)),
            says: concat!(
                "worker process {pid} ({pool}_…) was ended by signal ",
                $number,
                " (",
                stringify!($signal),
                "): ",
                $cause
            ),
        }
    };
}

const PANIC: Failure = Failure {
    kind: Panicked,
    end: End::Unknown,
    says: "panicked: the matrix panics here on purpose (at …strike.rs…) on {pool}_…",
};
const EXIT_0: Failure = exit!(0);
const EXIT_7: Failure = exit!(7);
const EXIT_9: Failure = exit!(9);
const ABORT: Failure =
    signal!(SIGABRT, 6, "it aborted: a panic that could not unwind, or a failed check in foreign code");
const SEGV: Failure = signal!(SIGSEGV, 11, "a bad memory access, in unsafe or foreign code");
const BUS: Failure = signal!(SIGBUS, 7, "a bad memory access, in unsafe or foreign code");
const ILL: Failure =
    signal!(SIGILL, 4, "an illegal instruction: a check of foreign code that failed, or corrupted memory");
const KILL: Failure =
    signal!(SIGKILL, 9, "killed from outside, by another process or by the kernel because memory ran out");
const STACK: Failure = signal!(SIGSEGV, 11, "a stack overflow, most likely a recursion without end; limit its depth");
const MEMORY: Failure =
    signal!(SIGABRT, 6, "probably out of memory; let the task use less memory, or raise memory_limit");
const SYS: Failure =
    signal!(SIGSYS, 31, "it made a system call that its sandbox forbids; if the code is honest, grant what it needs");
/// The cause is recognised only if the worker wrote the message of its allocator while the failed task ran.
const MEMORY_OF_ANOTHER: Failure =
    Failure { says: "worker process {pid} ({pool}_…) was ended by signal 6 (SIGABRT): …", ..MEMORY };
const LIMIT: Failure = Failure {
    kind: TimeLimit,
    end: End::Unknown,
    says: "ran for …, its time limit, and was stopped; its worker process {pid} ({pool}_…) is replaced",
};
const ENDED: Failure = Failure {
    kind: Terminated,
    end: End::Unknown,
    says: "was running and was stopped on request; its worker process {pid} ({pool}_…) is replaced",
};

/// Returns what the caller sees of this fault at each place, in the order of [`Place::ALL`].
#[rustfmt::skip]
pub fn row(fault: Fault) -> [Cell; Place::ALL.len()] {
    use Cell::{Arrives, Breaks, Fails, MayFail, Replaced, NoLoss, Waits};
    match fault {
        //                            decode          run             drop argument   encode          drop result
        //                            initializer     idle      between tasks    shutdown        contained
        Fault::Panic              => [Fails(PANIC),   Fails(PANIC),   Fails(PANIC),   Fails(PANIC),   Arrives,        Breaks(PANIC),  NoLoss,   NoLoss,          Fails(PANIC), Fails(PANIC)],
        Fault::DoublePanic        => [Fails(ABORT),   Fails(ABORT),   Fails(ABORT),   Fails(ABORT),   Fails(ABORT),   Breaks(ABORT),  Replaced, MayFail(ABORT),  Fails(ABORT), Fails(ABORT)],
        Fault::ExitZero           => [Fails(EXIT_0),  Fails(EXIT_0),  Fails(EXIT_0),  Fails(EXIT_0),  Fails(EXIT_0),  Breaks(EXIT_0), Replaced, MayFail(EXIT_0), Fails(EXIT_0), Fails(EXIT_0)],
        Fault::ExitSeven          => [Fails(EXIT_7),  Fails(EXIT_7),  Fails(EXIT_7),  Fails(EXIT_7),  Fails(EXIT_7),  Breaks(EXIT_7), Replaced, MayFail(EXIT_7), Fails(EXIT_7), Fails(EXIT_7)],
        Fault::UnderscoreExit     => [Fails(EXIT_9),  Fails(EXIT_9),  Fails(EXIT_9),  Fails(EXIT_9),  Fails(EXIT_9),  Breaks(EXIT_9), Replaced, MayFail(EXIT_9), Fails(EXIT_9), Fails(EXIT_9)],
        Fault::Abort              => [Fails(ABORT),   Fails(ABORT),   Fails(ABORT),   Fails(ABORT),   Fails(ABORT),   Breaks(ABORT),  Replaced, MayFail(ABORT),  Fails(ABORT), Fails(ABORT)],
        Fault::Segfault           => [Fails(SEGV),    Fails(SEGV),    Fails(SEGV),    Fails(SEGV),    Fails(SEGV),    Breaks(SEGV),   Replaced, MayFail(SEGV),   Fails(SEGV), Fails(SEGV)],
        Fault::BusError           => [Fails(BUS),     Fails(BUS),     Fails(BUS),     Fails(BUS),     Fails(BUS),     Breaks(BUS),    Replaced, MayFail(BUS),    Fails(BUS), Fails(BUS)],
        Fault::IllegalInstruction => [Fails(ILL),     Fails(ILL),     Fails(ILL),     Fails(ILL),     Fails(ILL),     Breaks(ILL),    Replaced, MayFail(ILL),    Fails(ILL), Fails(ILL)],
        Fault::Killed             => [Fails(KILL),    Fails(KILL),    Fails(KILL),    Fails(KILL),    Fails(KILL),    Breaks(KILL),   Replaced, MayFail(KILL),   Fails(KILL), Fails(KILL)],
        Fault::Terminated         => [Arrives,        Arrives,        Arrives,        Arrives,        Arrives,        NoLoss,         NoLoss,   NoLoss,          Arrives, Arrives],
        // Only the thread that runs tasks has a handler that distinguishes an overflow from another bad access.
        Fault::StackOverflow      => [Fails(STACK),   Fails(STACK),   Fails(STACK),   Fails(STACK),   Fails(STACK),   Breaks(STACK),  Replaced, MayFail(SEGV),   Fails(STACK), Fails(STACK)],
        Fault::OutOfMemory        => [Fails(MEMORY),  Fails(MEMORY),  Fails(MEMORY),  Fails(MEMORY),  Fails(MEMORY),  Breaks(MEMORY), Replaced, MayFail(MEMORY_OF_ANOTHER), Fails(MEMORY), Fails(MEMORY)],
        // An initializer has no time limit, and a thread that keeps running in a worker does not use the time of a
        // task.
        Fault::EndlessLoop        => [Fails(LIMIT),   Fails(LIMIT),   Fails(LIMIT),   Fails(LIMIT),   Fails(LIMIT),   Waits,          NoLoss,   NoLoss,          Fails(LIMIT), Fails(LIMIT)],
        // If there is no task to terminate, the signal comes from outside.
        Fault::IgnoresSigterm     => [Fails(ENDED),   Fails(ENDED),   Fails(ENDED),   Fails(ENDED),   Fails(ENDED),   Waits,          NoLoss,   NoLoss,          Fails(ENDED), Fails(ENDED)],
        Fault::Stopped            => [Fails(ENDED),   Fails(ENDED),   Fails(ENDED),   Fails(ENDED),   Fails(ENDED),   Replaced,       Replaced, MayFail(LIMIT),  Fails(ENDED), Fails(ENDED)],
        // Elsewhere than in the last column, the sandbox ends a worker for what no honest code does.
        Fault::OpensAFile         => [Arrives,        Arrives,        Arrives,        Arrives,        Arrives,        NoLoss,         NoLoss,   NoLoss,          Arrives, Arrives],
        Fault::Connects           => [Fails(SYS),     Fails(SYS),     Fails(SYS),     Fails(SYS),     Fails(SYS),     Breaks(SYS),    Replaced, MayFail(SYS),    Fails(SYS), Arrives],
        Fault::KillsItsParent     => [Fails(SYS),     Fails(SYS),     Fails(SYS),     Fails(SYS),     Fails(SYS),     Breaks(SYS),    Replaced, MayFail(SYS),    Fails(SYS), Arrives],
        Fault::ForksWithoutEnd    => [Arrives,        Arrives,        Arrives,        Arrives,        Arrives,        NoLoss,         NoLoss,   NoLoss,          Arrives, Arrives],
    }
}

/// Returns what the caller sees of this fault at this place.
pub fn cell(fault: Fault, place: Place) -> Cell {
    row(fault)[place as usize]
}

impl Failure {
    /// Returns the message for a task with this name, on a worker of this pool with this process id.
    pub fn message(&self, task: &str, pid: &str, pool: &str) -> String {
        let lost = if self.kind == WorkerDied { "was lost: " } else { "" };
        format!("task `{task}` {lost}{}", self.fill_in(pid, pool))
    }

    /// Returns the reason of a pool that this failure has broken.
    pub fn reason(&self, pid: &str, pool: &str) -> String {
        let before = match self.kind {
            WorkerDied => {
                "its workers end before they are ready, so no more are started. Fix the initializer, or the code that runs before \
                 `main`, and build another pool. The last worker: "
            }
            _ => "a worker could not start to serve: task `initializer …` ",
        };
        format!("{pool} is broken: {before}{}", self.fill_in(pid, pool))
    }

    /// Returns `true` if the cause, and with it the end of the message, depends on the run.
    pub fn depends_on_the_run(&self) -> bool {
        self.says.ends_with('…')
    }

    fn fill_in(&self, pid: &str, pool: &str) -> String {
        self.says.replace("{pid}", pid).replace("{pool}", pool)
    }
}
