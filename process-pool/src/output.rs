//! Where the output of workers goes.

use std::{borrow::Cow, fmt, sync::Arc};

use executor_core::TaskId;

/// Where the standard output or the standard error of a pool's workers goes.
/// [`ProcessPoolBuilder::stdout`](crate::ProcessPoolBuilder::stdout) and
/// [`ProcessPoolBuilder::stderr`](crate::ProcessPoolBuilder::stderr) take one.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
/// use std::sync::{Arc, Mutex};
/// use concurrent_futures::{Executor, Output, ProcessPoolExecutor, TaskOptions};
///
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let lines = log.clone();
/// let pool = ProcessPoolExecutor::builder()
///     .max_workers(1)
///     .stdout(Output::lines(move |line| {
///         let task = line.task().unwrap_or("no task").to_string();
///         lines.lock().unwrap().push(format!("{task}: {}", line.text()));
///     }))
///     .build()?;
/// let options = TaskOptions::new().name("page 17");
/// pool.submit_with(options, |pixels: u64| println!("{pixels} pixels"), 300)?.result(None)?;
/// // All lines have been handed over when the pool has ended.
/// drop(pool);
/// assert_eq!(*log.lock().unwrap(), ["page 17: 300 pixels"]);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Output(pub(crate) Sink);

/// What an [`Output`] is.
#[derive(Clone, Default)]
pub(crate) enum Sink {
    #[default]
    Inherited,
    Null,
    Lines(LineFunction),
}

pub(crate) type LineFunction = Arc<dyn Fn(OutputLine) + Send + Sync>;

// A panic of the function is contained where it is called, and a function is never called again before it has
// returned, so what unwinding leaves behind is what the function itself accepts.
impl std::panic::UnwindSafe for Output {}
impl std::panic::RefUnwindSafe for Output {}

impl Output {
    /// Returns that of this program. This is the default. Workers write to the standard output themselves; their
    /// standard error is read by the pool, which writes it to that of this program in whole lines.
    pub fn inherit() -> Output {
        Output(Sink::Inherited)
    }

    /// Returns nothing: what is written is gone. The last lines of the standard error of a worker that dies are in the
    /// error nevertheless.
    pub fn null() -> Output {
        Output(Sink::Null)
    }

    /// Returns a function that is called with each line, on the thread of the pool that runs callbacks.
    ///
    /// While the function runs, other callbacks and wakers of this pool wait, and tasks go on. At most a mebibyte waits
    /// for it. What comes meanwhile and does not fit is left out, and the next line
    /// [says how much](OutputLine::left_out). A panic of the function is contained, as that of a callback.
    ///
    /// A worker marks in its output where a task begins and ends, which costs two system calls for each task and
    /// stream, and it flushes Rust's standard output at the end of each task. C code must flush its own (`fflush`). A
    /// program that a task starts writes to the same stream.
    pub fn lines(function: impl Fn(OutputLine) + Send + Sync + 'static) -> Output {
        Output(Sink::Lines(Arc::new(function)))
    }

    /// Returns the function, if there is one.
    pub(crate) fn function(&self) -> Option<&LineFunction> {
        match &self.0 {
            Sink::Lines(function) => Some(function),
            _ => None,
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Sink::Inherited => "Output::inherit()",
            Sink::Null => "Output::null()",
            Sink::Lines(_) => "Output::lines(..)",
        })
    }
}

/// A line that a worker has written; see [`Output::lines`].
#[derive(Clone, Debug)]
pub struct OutputLine {
    pub(crate) worker: Arc<str>,
    pub(crate) task: Option<(TaskId, Arc<str>)>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_whole: bool,
    pub(crate) left_out: u64,
}

impl OutputLine {
    /// Returns the name of the worker, as [`task::current`](executor_core::task::current) has it there.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// Returns the name of the task that ran when the line was written, or `None` between two tasks and in the
    /// initializer. The items of a chunk of a `map` are one task. A thread or a program that an earlier task has left
    /// behind writes in the name of the task that runs.
    pub fn task(&self) -> Option<&str> {
        self.task.as_ref().map(|(_, name)| &**name)
    }

    /// Returns the id of that task.
    pub fn task_id(&self) -> Option<TaskId> {
        self.task.as_ref().map(|(id, _)| *id)
    }

    /// Returns the line without the line break at its end.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the line as text. Bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Returns `true` if a line break was written behind it. If not, this is a piece of a line of more than 16 KiB, or
    /// the task ended within the line.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns how many bytes were left out between the line before and this one, because too many waited for the
    /// function. If some are missing at the end of the pool, the function is called with an empty line that says so.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}
