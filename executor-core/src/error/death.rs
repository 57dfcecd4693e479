//! The end of a worker process.

use serde::{Deserialize, Serialize};

/// The end of a worker process, as far as the system reports it. See
/// [`Error::worker_death`](crate::Error::worker_death).
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::WorkerDeath;
/// let death = WorkerDeath::new(4711).with_exit_code(Some(7)).with_task("parse").with_stderr_tail("no licence");
/// assert_eq!((death.pid(), death.exit_code(), death.signal()), (4711, Some(7), None));
/// assert_eq!((death.task(), death.stderr_tail()), ("parse", "no licence"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerDeath {
    pid: u32,
    host: Box<str>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    task: Box<str>,
    stderr_tail: Box<str>,
    refused: Option<Box<str>>,
}

impl WorkerDeath {
    /// Creates a record of the death of the worker with this process id. This is for authors of back-ends.
    pub fn new(pid: u32) -> WorkerDeath {
        WorkerDeath { pid, ..WorkerDeath::default() }
    }

    /// Sets the name of the machine that the worker ran on, if it was not this one.
    pub fn with_host(mut self, host: &str) -> WorkerDeath {
        self.host = host.into();
        self
    }

    /// Sets the code with which the worker exited.
    pub fn with_exit_code(mut self, code: Option<i32>) -> WorkerDeath {
        self.exit_code = code;
        self
    }

    /// Sets the number of the signal that ended the worker.
    pub fn with_signal(mut self, signal: Option<i32>) -> WorkerDeath {
        self.signal = signal;
        self
    }

    /// Sets the name of the task that the worker was running.
    pub fn with_task(mut self, task: &str) -> WorkerDeath {
        self.task = task.into();
        self
    }

    /// Sets the last lines that were written to the worker's standard error.
    pub fn with_stderr_tail(mut self, tail: &str) -> WorkerDeath {
        self.stderr_tail = tail.into();
        self
    }

    /// Sets the name of the system call for which the sandbox of the worker has ended it.
    pub fn with_refused(mut self, call: Option<&str>) -> WorkerDeath {
        self.refused = call.map(Into::into);
        self
    }

    /// Returns the worker's process id, or 0 if it is not known because a machine was lost with all its workers. The
    /// system may have given the id to another process since.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the name of the machine that the worker ran on, or an empty string if it ran on this one.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::WorkerDeath;
    /// assert_eq!(WorkerDeath::new(0).with_host("node-7").host(), "node-7");
    /// ```
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the code with which the worker exited, if it exited. Neither this nor [`signal`](Self::signal) is known
    /// if another part of the program reaps all child processes.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// Returns the number of the signal that ended the worker, if a signal did.
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    /// Returns the name of the task that the worker was running, or an empty string if it ran none.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// Returns the last lines that the task wrote to the worker's standard error. If the worker ran no task, these are
    /// the last lines written since its last task. Control characters are escaped, and long text is truncated.
    pub fn stderr_tail(&self) -> &str {
        &self.stderr_tail
    }

    /// Returns the name of the system call for which the sandbox of the worker has ended it, such as `ptrace`. The
    /// worker itself has named it in its last words, so this is a hint for people and proves nothing about hostile
    /// code.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::WorkerDeath;
    /// assert_eq!(WorkerDeath::new(4711).refused(), None);
    /// assert_eq!(WorkerDeath::new(4711).with_refused(Some("ptrace")).refused(), Some("ptrace"));
    /// ```
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }
}
