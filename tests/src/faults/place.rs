//! Where a fault meets a worker.

use serde::{Deserialize, Serialize};

/// What a worker is doing when a [`Fault`](super::Fault) meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// In `Deserialize` of the argument.
    Decode,
    /// In the function.
    Run,
    /// In `Drop` of the argument, while the function returns.
    DropArgument,
    /// In `Serialize` of the result.
    Encode,
    /// In `Drop` of the result, when it was written down and not sent yet.
    DropResult,
    /// In the initializer, before the worker is ready: of every worker that is started, but for `SIGSTOP`, which meets
    /// the first.
    Initializer,
    /// No task is anywhere in the pool. The fault comes from outside, or from a thread that an earlier task has left
    /// behind. Tasks are submitted when the worker has ended, or, if it does not end by this, when the fault has
    /// happened.
    Idle,
    /// Short tasks come and go, and nobody waits for the worker: the fault comes from outside, or from a thread that an
    /// earlier task has left behind, at whatever point of a task or between two the worker is then. In a pool of two it
    /// is let loose when one batch of tasks is done and the next one comes, in others when a task has just started.
    BetweenTasks,
    /// The pool was closed. Two pools: in one the fault meets a task that was running when the pool was closed to
    /// drain, with others behind it; in the other it meets every worker in an exit handler, when it was told to leave.
    Shutdown,
}

impl Place {
    /// All of them, in the order of their declaration.
    pub const ALL: [Place; Place::Shutdown as usize + 1] = [
        Place::Decode,
        Place::Run,
        Place::DropArgument,
        Place::Encode,
        Place::DropResult,
        Place::Initializer,
        Place::Idle,
        Place::BetweenTasks,
        Place::Shutdown,
    ];

    /// Its name on a command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Place::Decode => "decode",
            Place::Run => "run",
            Place::DropArgument => "drop-argument",
            Place::Encode => "encode",
            Place::DropResult => "drop-result",
            Place::Initializer => "initializer",
            Place::Idle => "idle",
            Place::BetweenTasks => "between-tasks",
            Place::Shutdown => "shutdown",
        }
    }

    /// What it is, for the report.
    pub fn describe(self) -> &'static str {
        match self {
            Place::Decode => "in `Deserialize` of the argument",
            Place::Run => "in the function",
            Place::DropArgument => "in `Drop` of the argument, while the function returns",
            Place::Encode => "in `Serialize` of the result",
            Place::DropResult => "in `Drop` of the result, in the worker, after it was encoded and before it is sent",
            Place::Initializer => {
                "in the initializer of every worker that is started; but `SIGSTOP` meets only the first one"
            }
            Place::Idle => {
                "while no task is in the pool: from outside, or by a thread that an earlier task has left behind; tasks are \
                 submitted immediately afterwards"
            }
            Place::BetweenTasks => {
                "while short tasks come and go: from outside, or by a thread that an earlier task has left behind, at any \
                 point of a task or between two; with 1 and 5 workers the fault is triggered when a task has just started, \
                 with 2 right before tasks are submitted"
            }
            Place::Shutdown => {
                "after the pool was closed: in a task that was running then, with others behind it; and, in another pool, in \
                 an exit handler of every worker"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_listed_once_in_its_place() {
        assert!(Place::ALL.iter().enumerate().all(|(at, place)| *place as usize == at));
    }
}
