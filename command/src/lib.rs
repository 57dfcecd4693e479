//! Programs as tasks: input, output, exit code and a time limit, on any executor.
//!
//! ```
//! # mod concurrent_futures { pub use executor_core::*; pub mod command { pub use ::command::*; } }
//! use concurrent_futures::{Executor, InlineExecutor, command::{self, Command}};
//!
//! let executor = InlineExecutor::new(); // or a pool of threads or processes
//! let sorted = executor.submit(command::run, Command::new("sort").input("b\na\n"))?.result(None)??;
//! assert_eq!((sorted.exit_code, sorted.stdout.as_slice()), (0, &b"a\nb\n"[..]));
//! assert_eq!(command::status(Command::new("sh").args(["-c", "exit 3"]))?, 3);
//! # Ok::<(), concurrent_futures::Error>(())
//! ```
//!
//! A [`Command`] is a value. [`run`] and [`status`] are ordinary functions of it, which start the program and wait for
//! its end, so they can be submitted to any executor or called directly. Python's counterpart is `subprocess.run`.
//!
//! # The end of a program
//!
//! The program has a process group of its own. Its [time limit](Command::timeout), `Future::terminate` and
//! `Shutdown::Terminate` end the whole group: it is asked with `SIGTERM`, and killed after the
//! [grace period](Command::grace). A program that runs in a worker process also ends when that worker does, whatever
//! ends the worker, and on Linux its whole group does. Descendants that have moved to another group, as `setsid` does,
//! end with a worker that its pool stops, and otherwise live on. A program that ends by itself leaves its group alone.
//! If a process that it has left behind holds its output open, `run` waits for the grace period and returns what has
//! come.

#[cfg(not(unix))]
compile_error!("concurrent-futures-command needs a Unix system");

mod guard;
mod parent_death;
mod pipes;
mod program;

use std::{ffi::OsString, time::Duration};

use executor_core::Error;
use serde::{Deserialize, Serialize};

use program::Program;

/// A program with its arguments, as a value that can be sent to any executor. [`run`] and [`status`] run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a command does nothing before it is run"]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    current_dir: Option<OsString>,
    input: Option<Vec<u8>>,
    capture: bool,
    timeout: Option<Duration>,
    grace: Duration,
}

/// How long a program has between `SIGTERM` and `SIGKILL`, unless [`Command::grace`] says otherwise.
const GRACE: Duration = Duration::from_secs(1);

impl Command {
    /// Makes a command for this program. A name without a slash is searched in `PATH`.
    pub fn new(program: impl Into<OsString>) -> Command {
        Command {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            current_dir: None,
            input: None,
            capture: true,
            timeout: None,
            grace: GRACE,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Command {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Command {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable. The others are those of the process that runs the command.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Command {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Sets the directory in which the program runs.
    pub fn current_dir(mut self, directory: impl Into<OsString>) -> Command {
        self.current_dir = Some(directory.into());
        self
    }

    /// Sets the program's standard input, which is empty otherwise. Input that the program does not read is dropped.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Command {
        self.input = Some(bytes.into());
        self
    }

    /// Sets whether the standard output and the standard error are captured, which is the default. If not, they are
    /// those of the process that runs the command.
    pub fn capture(mut self, captures: bool) -> Command {
        self.capture = captures;
        self
    }

    /// Limits how long the program may run.
    pub fn timeout(mut self, timeout: Duration) -> Command {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how long the program has to end after `SIGTERM`, and how long processes that it has left behind may hold
    /// its output open. The default is a second.
    pub fn grace(mut self, grace: Duration) -> Command {
        self.grace = grace;
        self
    }
}

/// The end of a program, and what it has written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The exit code, or the number of the signal that ended the program as a negative number.
    pub exit_code: i32,
    /// The standard output, which is empty if it was not captured.
    pub stdout: Vec<u8>,
    /// The standard error, which is empty if it was not captured.
    pub stderr: Vec<u8>,
}

/// Runs a program, and returns its exit code and output. Input, output and the end of the program are served together,
/// so no amount of data blocks it.
///
/// # Errors
///
/// - [`TimeLimit`](executor_core::ErrorKind::TimeLimit) if the program has used up its time and was stopped.
/// - [`Terminated`](executor_core::ErrorKind::Terminated) if the task that calls this was asked to stop.
/// - [`Other`](executor_core::ErrorKind::Other) if the program could not be started, with its name and the reason.
///
/// An exit code that is not zero is no error.
pub fn run(command: Command) -> Result<Output, Error> {
    Program::start(command)?.finish()
}

/// Runs a program as [`run`] does, and returns its exit code alone. Output that is captured is dropped.
///
/// # Errors
///
/// Returns the errors of [`run`].
pub fn status(command: Command) -> Result<i32, Error> {
    run(command).map(|output| output.exit_code)
}
