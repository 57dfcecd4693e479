//! The places at which a fault can happen.

use serde::{Deserialize, Serialize};

/// What a worker is doing when a [`Fault`](super::Fault) happens.
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
    /// In `Drop` of the result, after it is encoded and before it is sent.
    DropResult,
    /// In the initializer of every worker that is started. `SIGSTOP` happens to the first only.
    Initializer,
    /// While the pool has no task. The fault comes from outside, or from a thread that an earlier task has left
    /// running. Tasks are submitted when the fault has happened and has ended the worker, if it does so.
    Idle,
    /// While short tasks run one after the other. The fault comes from outside, or from a thread that an earlier task
    /// has left running, at any point of a task or between two tasks. In a pool of two workers it comes before a batch
    /// of tasks, in others when a task has just started.
    BetweenTasks,
    /// After the pool was closed to drain. In one pool the fault happens in a task that was running then, with others
    /// behind it. In another pool it happens in an exit handler of every worker.
    Shutdown,
    /// In the function, in a sandbox that refuses with an error.
    Contained,
}

impl Place {
    /// All places, in the order of their declaration.
    pub const ALL: [Place; Place::Contained as usize + 1] = [
        Place::Decode,
        Place::Run,
        Place::DropArgument,
        Place::Encode,
        Place::DropResult,
        Place::Initializer,
        Place::Idle,
        Place::BetweenTasks,
        Place::Shutdown,
        Place::Contained,
    ];

    /// Returns its name on the command line and in the report.
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
            Place::Contained => "contained",
        }
    }

    /// Returns its description in the report.
    pub fn describe(self) -> &'static str {
        match self {
            Place::Decode => "in `Deserialize` of the argument",
            Place::Run => "in the function",
            Place::DropArgument => "in `Drop` of the argument, while the function returns",
            Place::Encode => "in `Serialize` of the result",
            Place::DropResult => "in `Drop` of the result in the worker, after it is encoded and before it is sent",
            Place::Initializer => {
                "in the initializer of every worker that is started; `SIGSTOP` happens to the first only"
            }
            Place::Idle => {
                "while the pool has no task: from outside, or by a thread that an earlier task has left running; tasks are \
                 submitted as soon as it has happened"
            }
            Place::BetweenTasks => {
                "while short tasks run one after the other: from outside, or by a thread that an earlier task has left \
                 running, at any point of a task or between two tasks; with 1 and 5 workers it comes when a task has just \
                 started, with 2 right before tasks are submitted"
            }
            Place::Shutdown => {
                "after the pool was closed: in a task that was running then, with others behind it; and, in another pool, in \
                 an exit handler of every worker"
            }
            Place::Contained => "in the function, in a sandbox that refuses with an error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_place_in_order() {
        assert!(Place::ALL.iter().enumerate().all(|(at, place)| *place as usize == at));
    }
}
