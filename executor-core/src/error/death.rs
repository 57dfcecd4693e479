//! The end of a worker process as a value.

use serde::{Deserialize, Serialize};

/// How a worker process ended, as far as the system tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerDeath {
    pid: u32,
    exit_code: Option<i32>,
    signal: Option<i32>,
    task: Box<str>,
    stderr_tail: Box<str>,
}

impl WorkerDeath {
    /// The death of the worker with this process id. For authors of back-ends.
    pub fn new(pid: u32) -> WorkerDeath {
        WorkerDeath { pid, ..WorkerDeath::default() }
    }

    /// The code it exited with.
    pub fn with_exit_code(mut self, code: Option<i32>) -> WorkerDeath {
        self.exit_code = code;
        self
    }

    /// The signal that ended it.
    pub fn with_signal(mut self, signal: Option<i32>) -> WorkerDeath {
        self.signal = signal;
        self
    }

    /// The name of the task that it was running.
    pub fn with_task(mut self, task: &str) -> WorkerDeath {
        self.task = task.into();
        self
    }

    /// The last lines it wrote to its standard error.
    pub fn with_stderr_tail(mut self, tail: &str) -> WorkerDeath {
        self.stderr_tail = tail.into();
        self
    }

    /// The worker's process id. Another process may have it by now.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The code it exited with, if it exited. Neither this nor [`signal`](Self::signal) is known where something else
    /// in the program reaps every child.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// The number of the signal that ended it, if one did.
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    /// The name of the task that it was running; empty where it ran none.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// The last lines that the task wrote to the standard error of its worker; where it ran none, what the worker wrote
    /// since the last one. Control characters are escaped, and what is long is cut. Empty where nothing was written.
    pub fn stderr_tail(&self) -> &str {
        &self.stderr_tail
    }
}
