//! One [`Executor`] interface for threads, processes and the caller's own thread, modelled on Python's
//! `concurrent.futures`.
//!
//! ```
//! use concurrent_futures::{Backend, Error, ErrorKind, Executor, ProcessPoolExecutor, ThreadPoolExecutor};
//!
//! fn total_length(executor: &dyn Backend, words: &[&str]) -> Result<usize, Error> {
//!     let words: Vec<String> = words.iter().map(ToString::to_string).collect();
//!     executor.map(|word: String| word.len(), words)?.sum()
//! }
//!
//! let threads = ThreadPoolExecutor::new(2)?;
//! let processes = ProcessPoolExecutor::new(2)?;
//! assert_eq!(total_length(&threads, &["swap", "one", "line"])?, 11);
//! assert_eq!(total_length(&processes, &["swap", "one", "line"])?, 11);
//!
//! // A crash that would end the program on threads is an error value on processes.
//! let crash = processes.submit(|()| -> u64 { std::process::abort() }, ())?;
//! assert_eq!(crash.result(None).unwrap_err().kind(), ErrorKind::WorkerDied);
//! # Ok::<(), Error>(())
//! ```
//!
//! See also: [from async code](#from-async-code), [big data](#big-data), [coming from Python](#coming-from-python),
//! what [a worker process does not have](docs::workers), and [recipes](docs::recipes) for tokio, databases, logging, a
//! graceful end, progress, limits, C libraries and interpreters.
//!
//! # Concepts
//!
//! - An **executor** runs functions. [`ThreadPoolExecutor`] is for speed, [`ProcessPoolExecutor`] for isolation,
//!   [`InlineExecutor`] for debugging. Every executor is a [`Backend`], so code that takes `&dyn Backend` runs on any.
//! - A **task** is a function and its argument. The function captures nothing, so that another process can find it by
//!   its type. The argument is a [`Payload`]: any type that serde can write and read. Threads accept more:
//!   [`ThreadPoolExecutor::spawn`] takes any closure, and [`ThreadPoolExecutor::scope`] closures that borrow.
//! - A **future** is the handle of a task, of the same type for every executor. Wait for it with a time-out, `.await`
//!   it, cancel it, or add a callback. [`wait`](wait()) and [`as_completed`] wait for many.
//! - An **error** has a [kind](ErrorKind), and a message that says what to do next. A [panic](Error::panic) and a
//!   [dead worker](Error::worker_death) are values.
//!
//! # From async code
//!
//! `.await` a future on any runtime. Submitting does not block, except to a pool with a `queue_capacity` that is full:
//! use [`try_submit`](Executor::try_submit) there.
//!
//! ```
//! use concurrent_futures::{Backend, Error, Executor, ProcessPoolExecutor};
//!
//! async fn checksum(pool: &dyn Backend, text: String) -> Result<u32, Error> {
//!     pool.submit(|text: String| text.bytes().map(u32::from).sum(), text)?.await
//! }
//! # fn block_on<F: Future>(future: F) -> F::Output {
//! #     use std::{pin::pin, sync::Arc, task::{Context, Poll, Wake}, thread::{Thread, current, park}};
//! #     struct Unpark(Thread);
//! #     impl Wake for Unpark {
//! #         fn wake(self: Arc<Self>) { self.0.unpark() }
//! #     }
//! #     let (mut future, waker) = (pin!(future), Arc::new(Unpark(current())).into());
//! #     loop {
//! #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
//! #             Poll::Ready(output) => return output,
//! #             Poll::Pending => park(),
//! #         }
//! #     }
//! # }
//! // With tokio: #[tokio::main].
//! assert_eq!(block_on(checksum(&ProcessPoolExecutor::new(1)?, "abc".to_string()))?, 294);
//! # Ok::<(), Error>(())
//! ```
//!
//! Dropping the awaited future does not cancel its task: await [`Future::cancel_on_drop`] or
//! [`Future::terminate_on_drop`], or await `&future` and call [`Future::cancel`] afterwards. Where a pool has a bounded
//! queue, [`Executor::submit_async`] waits for room without blocking the thread. [`try_join_all`] and [`race`] combine
//! futures, and [`Map::into_stream`] and [`AsCompleted::into_stream`] make streams. Dropping a pool blocks until its
//! tasks have ended.
//!
//! # Big data
//!
//! Threads move arguments and results without copying, whatever their size. Processes copy them through shared memory:
//!
//! - Fastest are `Vec<u8>`, `String` and vectors of numbers such as `Vec<f64>`, as the whole argument or the whole
//!   result. They are copied as blocks of memory.
//! - In a struct, a field `Vec<u8>` takes about twice as long. Only memory limits the size of a value.
//! - What many tasks read is sent once as a `Shared` value or a `SharedSlice` of numbers, and what many tasks fill is a
//!   `SharedMut`, of which each has a chunk. All are in `multiprocessing`.
//! - For many small items, use [`map`](Executor::map): it sends them in chunks.
//! - If a file has the data already, send its path and let the task read it. [`pass_fds`](ProcessPoolBuilder::pass_fds)
//!   passes open files and shared memory to workers.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `threads` | yes | [`ThreadPoolExecutor`] |
//! | `processes` | yes | [`ProcessPoolExecutor`]; Unix only |
//! | `sync` | with `processes` | [`multiprocessing`]: queues, pipes, locks and shared memory, for threads and processes |
//! | `command` | with `processes` | [`command`]: programs as tasks, with input, output and a time limit; Unix only |
//! | `rayon` | no | `RayonExecutor`, which runs tasks on an existing rayon pool |
//! | `stream` | no | `Stream` of the crate `futures-core` for [`MapStream`] and [`CompletedStream`] |
//! | `metrics` | no | `record_metrics` of both pools: their statistics for the crate `metrics` |
//! | `tracing` | no | events of process pools for the crate `tracing`: starts, tasks, deaths; and [the events that tasks emit in workers](process_pool#events-and-records-of-tasks) |
//! | `log` | no | records of the crate `log` that tasks emit in workers reach the program's logger; turns on `tracing` |
//!
//! A library that only takes executors turns all of them off, and the program that uses it chooses.
//!
//! # Coming from Python
//!
//! The chapter [`docs::python`] goes through `concurrent.futures`, `multiprocessing`, `threading`, `subprocess` and
//! `queue` name by name. The most frequent ones:
//!
//! | Python | here |
//! |---|---|
//! | `executor.submit(f, a, b)` | `executor.submit(f, (a, b))?` |
//! | `executor.map(f, xs, timeout=t, chunksize=n, buffersize=n)` | `executor.map_with(MapOptions::new()…, f, xs)?`: an iterator of results, which an error does not end |
//! | `future.result(timeout=t)` | `future.result(t)`, which moves the value out; [`Future::shared`] to read it often |
//! | `future.exception()` | `future.exception(None)?` |
//! | `wait(fs)`, `as_completed(fs)` | the same, but a future that is given twice is returned twice |
//! | `with ThreadPoolExecutor() as e:` | `let e = ThreadPoolExecutor::new(n)?;`: dropping it waits for all its tasks |
//! | `e.shutdown(cancel_futures=True)` | `e.shutdown(Shutdown::CancelPending)` |
//! | `e.terminate_workers()` | `e.shutdown(Shutdown::Terminate { grace })` |
//! | `BrokenProcessPool` for all | `WorkerDied` for the task that the worker was running |
//! | `multiprocessing.Process(target=f, args=(a, b)).start()` | [`multiprocessing::Process::spawn(f, (a, b))?`](multiprocessing::Process) |
//! | `multiprocessing.Queue`, `Lock`, `Event`, `Value` … | the same names in `multiprocessing` (feature `sync`) |
//! | `{executor.submit(f, url): url for url in urls}` | the same as a `HashMap`: futures are compared by their task |
//! | `asyncio.TaskGroup` | [`try_join_all`]`(futures).cancel_on_drop()` |
//! | a `threading.Event` that tasks check to stop | [`CancellationToken`], whose tasks look at [`task::current`] |
//! | a global variable that the initializer sets | [`WorkerLocal`] |
//! | `executor.submit(subprocess.run, …)` | `executor.submit(command::run, …)`, from [`command`] |

pub mod backend;

/// Processes, and what threads and processes share, as in Python's `multiprocessing`: queues, pipes, locks, events,
/// values.
#[cfg(feature = "sync")]
pub mod multiprocessing {
    #[doc(inline)]
    pub use process_sync::*;

    #[cfg(feature = "processes")]
    #[doc(inline)]
    pub use process_pool::{
        Process, ProcessBuilder, ProcessInfo, Stdio, active_children, current_process, parent_process,
    };
}

/// Programs as tasks, as in Python's `subprocess`: input, output, exit code and a time limit, on any executor.
#[cfg(feature = "command")]
pub mod command {
    #[doc(inline)]
    pub use ::command::*;
}

/// Many machines: agents that run tasks, and the servers between them and the executors.
///
/// [`init`](cluster::init) makes a program an agent, [`serve`](cluster::serve) a part of one.
/// [`Client`](cluster::Client) has queues, maps and locks that programs on different machines share.
#[cfg(feature = "cluster")]
pub mod cluster {
    #[doc(inline)]
    pub use ::cluster::*;
}

// Executors, and how tasks are submitted.
#[doc(inline)]
pub use executor_core::{
    Backend, Executor, Function, InlineExecutor, Map, MapOptions, MapPairs, MapStream, Payload, Shutdown, Submitting,
    Task, TaskOptions,
};

// Handles of tasks.
#[doc(inline)]
pub use executor_core::{
    Awaited, AwaitedShared, CancellationToken, Future, Promise, SharedFuture, StopOnDrop, TaskId, promise,
};

// Waiting for many futures.
#[doc(inline)]
pub use executor_core::{
    AsCompleted, AsFuture, CompletedStream, ReturnWhen, Waited, as_completed, race, try_join_all, wait,
};

// Errors.
#[doc(inline)]
pub use executor_core::{Error, ErrorKind, FlattenResult, Panic, TaskError, WorkerDeath};

// What a task can read about itself, and what its worker keeps for it.
#[doc(inline)]
pub use executor_core::{WorkerLocal, task};

// The pools, which are optional. Their crates are exported too, because programs call `process_pool::init`.
#[cfg(feature = "processes")]
pub use process_pool;
#[cfg(feature = "processes")]
#[doc(inline)]
pub use process_pool::{Output, OutputLine, ProcessPoolBuilder, ProcessPoolExecutor, Stats, Transport, init};
// What workers may do besides computing.
#[cfg(feature = "cluster")]
#[doc(inline)]
pub use ::cluster::{ClusterBuilder, ClusterExecutor};
#[cfg(feature = "processes")]
#[doc(inline)]
pub use process_pool::{Layer, LayerState, Network, Refusal, RefusedCall, Sandbox, SandboxStatus};
#[cfg(feature = "threads")]
pub use thread_pool;
#[cfg(feature = "rayon")]
#[doc(inline)]
pub use thread_pool::RayonExecutor;
#[cfg(feature = "threads")]
#[doc(inline)]
pub use thread_pool::{ClosureMap, Scope, ScopedFuture, ThreadPoolBuilder, ThreadPoolExecutor, ThreadStats};

/// Chapters that belong to no single item. They exist only in the documentation.
#[cfg(all(doc, feature = "threads", feature = "processes"))]
pub mod docs {
    #[doc = include_str!("../docs/python.md")]
    pub mod python {}

    #[doc = include_str!("../docs/recipes.md")]
    pub mod recipes {}

    #[doc = include_str!("../docs/workers.md")]
    pub mod workers {}

    #[cfg(feature = "cluster")]
    #[doc = include_str!("../docs/cluster.md")]
    pub mod cluster {}

    #[cfg(feature = "cluster")]
    #[doc = include_str!("../docs/between-machines.md")]
    pub mod between_machines {}
}

/// Runs the examples of the documents at the root as tests, and those in the `README.md` of each crate, which use the
/// names of this one.
#[cfg(all(doctest, feature = "threads", feature = "processes"))]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../DESIGN.md")]
    struct Design;
    #[doc = include_str!("../COMPARE.md")]
    struct Compare;
    #[doc = include_str!("../docs/crates/core.md")]
    struct Core;
    #[doc = include_str!("../docs/crates/threads.md")]
    struct Threads;
    #[doc = include_str!("../docs/crates/processes.md")]
    struct Processes;
    #[doc = include_str!("../docs/crates/sync.md")]
    struct Sync;
    #[doc = include_str!("../docs/crates/command.md")]
    struct Command;
    #[cfg(feature = "cluster")]
    #[doc = include_str!("../docs/crates/cluster.md")]
    struct Cluster;
}
