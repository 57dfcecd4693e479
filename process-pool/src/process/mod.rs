//! Processes that run one function each.

mod builder;
mod ending;
mod info;
mod nursery;
mod pipes;

pub use builder::ProcessBuilder;
pub(crate) use ending::Ending;
pub(crate) use info::set_own;
pub use info::{ProcessInfo, current_process, parent_process};
pub use nursery::active_children;
pub use pipes::Stdio;

use std::{
    fmt,
    os::fd::{AsFd as _, BorrowedFd},
    process::{ChildStderr, ChildStdin, ChildStdout},
    time::Duration,
};

use executor_core::{AsFuture, Error, Future, Payload, deadline, fork};
use parking_lot::Mutex;

use crate::{SandboxStatus, pool::SlotId, sys::signals::Signal};
use nursery::Started;
use pipes::Pipes;

/// A process that runs one function.
///
/// It is this very program, started again, which calls the function instead of `main` and ends when the function
/// returns. Statics have their initial values there, and a change that the function makes in memory stays there. The
/// arguments and the result travel as those of a [task](crate::ProcessPoolExecutor) do, with their shared objects and
/// handles. Python's counterpart is `multiprocessing.Process`.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
/// use concurrent_futures::multiprocessing::{Process, current_process};
///
/// fn greet(name: String) -> String {
///     format!("hello {name}, I am process {}", current_process().pid())
/// }
///
/// let process = Process::spawn(greet, "you".to_string())?;
/// let pid = process.pid();
/// assert_eq!(process.result(None)?, format!("hello you, I am process {pid}"));
/// assert!(process.join(None));
/// assert_eq!(process.exit_code(), Some(0));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// # The end
///
/// Dropping a `Process` waits for it, and kills a [daemon](ProcessBuilder::daemon). However this program ends, its
/// processes end with it within a second, daemons or not, and so does everything that they have started. To let a
/// process go on without its `Process`, call [`into_future`](Process::into_future).
///
/// When the function has returned, the process runs its exit handlers and ends, at most five seconds later. Children
/// that it has not waited for are killed then.
///
/// # What it shares with this program
///
/// The same as a worker of a pool: see [`ProcessPoolExecutor`](crate::ProcessPoolExecutor). It has this program's
/// standard streams, unless the [builder](Process::builder) says otherwise. All signals have their default actions
/// there, that of Ctrl-C too. A panic of the function is printed to its standard error, and is an error of
/// [`result`](Process::result) as well.
#[must_use = "dropping a process immediately waits for it"]
pub struct Process<R> {
    future: Future<R>,
    child: Child,
}

impl<R: Payload> Process<R> {
    fn new(started: Started, pipes: Pipes, future: Future<R>) -> Process<R> {
        let pipes = Mutex::new(pipes);
        let at_drop = if started.info.is_daemon() { AtDrop::Kill } else { AtDrop::Wait };
        Process { future, child: Child { started, pipes, at_drop, generation: fork::generation() } }
    }

    /// Returns what the function has returned, after waiting for that at most this long. The value is moved out, so a
    /// second call is an error. A piped standard input that was not [taken](Process::take_stdin) is closed first.
    ///
    /// # Errors
    ///
    /// Those of a [task](Future::result): [`Timeout`](executor_core::ErrorKind::Timeout) if the wait has ended and the
    /// process goes on, [`Panicked`](executor_core::ErrorKind::Panicked), and
    /// [`WorkerDied`](executor_core::ErrorKind::WorkerDied) if the process has ended in another way than by returning
    /// from the function: by a signal, by [`terminate`](Process::terminate), or by `exit`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use concurrent_futures::{ErrorKind, multiprocessing::Process};
    ///
    /// let process = Process::spawn(|code: i32| -> u64 { std::process::exit(code) }, 7)?;
    /// let error = process.result(None).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::WorkerDied);
    /// assert_eq!(error.worker_death().unwrap().exit_code(), Some(7));
    /// assert_eq!(process.exit_code(), Some(7));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<R, Error> {
        self.child.close_input();
        self.future.result(timeout)
    }

    /// Returns the future of the function's result, to look at, to add callbacks to, or to `.await` as `&future`.
    ///
    /// It is done when the function has returned; the process ends soon after that. [`Future::terminate`] stops the
    /// process like a task.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use concurrent_futures::multiprocessing::Process;
    ///
    /// let process = Process::spawn(|n: u64| n * n, 12)?;
    /// process.join(None);
    /// assert!(process.future().done());
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn future(&self) -> &Future<R> {
        &self.future
    }

    /// Turns the process into the future of its result, which goes into [`wait`](executor_core::wait()),
    /// [`as_completed`](executor_core::as_completed) and `.await` together with the futures of tasks.
    ///
    /// The process goes on by itself, whether it is a daemon or not, and ends with this program at the latest. Pipes
    /// that were not taken are closed.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use concurrent_futures::{as_completed, multiprocessing::Process};
    ///
    /// let squares = (1..=3u64).map(|n| Ok(Process::spawn(|n: u64| n * n, n)?.into_future()));
    /// let squares = squares.collect::<Result<Vec<_>, concurrent_futures::Error>>()?;
    /// let sum: u64 = as_completed(squares, None).map(|done| done?.result(None)).sum::<Result<u64, _>>()?;
    /// assert_eq!(sum, 14);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn into_future(self) -> Future<R> {
        let Process { future, mut child } = self;
        child.at_drop = AtDrop::LetRun;
        future
    }
}

impl<R> Process<R> {
    /// Returns the process id. Python's counterpart is `Process.pid`.
    ///
    /// Signals are better sent by [`terminate`](Process::terminate) and [`kill`](Process::kill), because the id may
    /// belong to another process once this one has ended.
    pub fn pid(&self) -> u32 {
        self.child.started.info.pid()
    }

    /// Returns the name. Python's counterpart is `Process.name`.
    pub fn name(&self) -> &str {
        self.child.started.info.name()
    }

    /// Returns `true` if dropping this kills the process. Python's counterpart is `Process.daemon`.
    pub fn is_daemon(&self) -> bool {
        self.child.started.info.is_daemon()
    }

    /// Returns `true` if the process has not ended. Python's counterpart is `Process.is_alive`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use concurrent_futures::multiprocessing::Process;
    ///
    /// let process = Process::spawn(|()| std::thread::park(), ())?;
    /// assert!(process.is_alive());
    /// process.terminate();
    /// process.join(None);
    /// assert!(!process.is_alive());
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn is_alive(&self) -> bool {
        self.child.is_own() && self.child.started.is_alive()
    }

    /// Waits until the process has ended and was reaped, at most this long. Returns `true` if it has ended.
    ///
    /// It may be called any number of times, from any thread. A piped standard input that was not
    /// [taken](Process::take_stdin) is closed first, so that a process that reads it to its end does not wait forever.
    /// Python's counterpart is `Process.join`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use std::time::Duration;
    /// use concurrent_futures::multiprocessing::Process;
    ///
    /// let process = Process::spawn(|()| std::thread::park(), ())?;
    /// assert!(!process.join(Duration::from_millis(1)));
    /// process.kill();
    /// assert!(process.join(None) && process.join(Duration::ZERO));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn join(&self, timeout: impl Into<Option<Duration>>) -> bool {
        self.child.join(timeout.into())
    }

    /// Returns the exit code: `None` while the process has not ended, 0 after its function has returned, 1 if the
    /// function has panicked, `n` if something has called `exit(n)`, and `-n` if signal `n` has ended it. Python's
    /// counterpart is `Process.exitcode`.
    ///
    /// It is also `None` if something else in this program has taken the exit status: a program that ignores `SIGCHLD`,
    /// or that waits for any child.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use concurrent_futures::multiprocessing::Process;
    ///
    /// let process = Process::spawn(|()| std::thread::park(), ())?;
    /// assert_eq!(process.exit_code(), None);
    /// process.terminate();
    /// process.join(None);
    /// assert_eq!(process.exit_code(), Some(-15));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn exit_code(&self) -> Option<i32> {
        self.child.exit_code()
    }

    /// Asks the process to end: sends `SIGTERM` to it and to the processes of its group. Does nothing if it has ended.
    /// Python's counterpart is `Process.terminate`.
    ///
    /// A process without a handler ends immediately, and [`result`](Process::result) is
    /// [`WorkerDied`](executor_core::ErrorKind::WorkerDied) with that signal, unless its function has returned before.
    pub fn terminate(&self) {
        self.child.signal(Signal::TERM, "`terminate` was called on its `Process`");
    }

    /// Kills the process and everything that it has started. Does nothing if it has ended. Python's counterpart is
    /// `Process.kill`.
    pub fn kill(&self) {
        self.child.signal(Signal::KILL, "`kill` was called on its `Process`");
    }

    /// Returns which layers of the [sandbox](ProcessBuilder::sandbox) are in force, as the process has reported it.
    /// Waits until the process is ready. Returns `None` if it has no sandbox, or has ended before it was locked.
    pub fn sandbox_status(&self) -> Option<SandboxStatus> {
        self.child.started.pool.sandbox_status()
    }

    /// Returns a descriptor that is ready to read once the process has ended, to wait for it together with other
    /// descriptors. Nothing can be read from it. Python's counterpart is `Process.sentinel`.
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.child.started.sentinel.as_fd()
    }

    /// Returns the writing end of the standard input, if it is [`Piped`](Stdio::Piped) and was not taken before. The
    /// process finds the end of its input once this is dropped.
    ///
    /// The ends of pipes have the types of the standard library, so they convert to files, descriptors and the standard
    /// streams of other commands.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use std::io::Write;
    /// use concurrent_futures::multiprocessing::{Process, Stdio};
    ///
    /// let process = Process::builder().stdin(Stdio::Piped).spawn(|()| std::io::stdin().lines().count(), ())?;
    /// process.take_stdin().expect("it was asked for").write_all(b"one\ntwo\n").unwrap();
    /// assert_eq!(process.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn take_stdin(&self) -> Option<ChildStdin> {
        self.child.pipes.lock().stdin.take()
    }

    /// Returns the reading end of the standard output, if it is [`Piped`](Stdio::Piped) and was not taken before. A
    /// process that writes more than a pipe holds waits until this is read.
    pub fn take_stdout(&self) -> Option<ChildStdout> {
        self.child.pipes.lock().stdout.take()
    }

    /// Returns the reading end of the standard error, if it is [`Piped`](Stdio::Piped) and was not taken before. A
    /// process that writes more than a pipe holds waits until this is read.
    pub fn take_stderr(&self) -> Option<ChildStderr> {
        self.child.pipes.lock().stderr.take()
    }
}

/// Processes are waited for like futures: `wait(&processes, …)`.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
/// use concurrent_futures::{ReturnWhen, multiprocessing::Process, wait};
///
/// let processes = [Process::spawn(|n: u64| n * n, 3)?, Process::spawn(|n: u64| n * n, 4)?];
/// assert!(wait(&processes, None, ReturnWhen::AllCompleted).not_done.is_empty());
/// assert_eq!(processes[1].result(None)?, 16);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
impl<R> AsFuture for Process<R> {
    type Output = R;

    fn as_future(&self) -> &Future<R> {
        &self.future
    }
}

impl<R> fmt::Debug for Process<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = &self.child.started.info;
        f.debug_struct("Process")
            .field("name", &info.name())
            .field("pid", &info.pid())
            .field("daemon", &info.is_daemon())
            .field("is_alive", &self.is_alive())
            .field("exit_code", &self.exit_code())
            .finish_non_exhaustive()
    }
}

// A caught panic leaves no process half changed, because no lock is held while user code runs.
impl<R> std::panic::UnwindSafe for Process<R> {}
impl<R> std::panic::RefUnwindSafe for Process<R> {}

/// The part of a process that does not depend on the type of its result.
struct Child {
    started: Started,
    pipes: Mutex<Pipes>,
    at_drop: AtDrop,
    generation: fork::Generation,
}

#[derive(Clone, Copy)]
enum AtDrop {
    Wait,
    Kill,
    LetRun,
}

impl Child {
    /// Returns `true` if this process has started it, and is not a forked copy of the one that has.
    fn is_own(&self) -> bool {
        self.generation.check().is_ok()
    }

    fn close_input(&self) {
        drop(self.pipes.lock().stdin.take());
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        if !self.is_own() {
            return false;
        }
        self.close_input();
        // A process that has ended is reaped soon, so that wait needs no end.
        let has_ended = self.started.ending.wait(deadline::after(timeout))
            || !self.started.is_alive() && self.started.ending.wait(None);
        if has_ended {
            self.started.pool.finish_removals();
        }
        has_ended
    }

    fn exit_code(&self) -> Option<i32> {
        if !self.is_own() || self.started.is_alive() {
            return None;
        }
        self.started.ending.wait(None);
        self.started.ending.get()?.code()
    }

    fn signal(&self, signal: Signal, reason: &'static str) {
        if !self.is_own() {
            return;
        }
        if let Some(worker) = self.started.pool.state.lock().worker_mut(SlotId::FIRST) {
            worker.signal_because(signal, reason);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        match self.at_drop {
            AtDrop::LetRun => {}
            AtDrop::Wait => {
                self.join(None);
            }
            AtDrop::Kill => {
                self.signal(Signal::KILL, "the `Process` of this daemon was dropped");
                self.join(None);
            }
        }
    }
}
