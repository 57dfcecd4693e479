//! A pool of worker processes behind the [`Executor`](executor_core::Executor) interface.
//!
//! ```
//! # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
//! use concurrent_futures::{ErrorKind, Executor, ProcessPoolExecutor};
//!
//! let pool = ProcessPoolExecutor::new(2)?;
//! let crash = pool.submit(|()| -> () { std::process::abort() }, ())?;
//! let squares = pool.map(|n: u64| n * n, 0..4u64)?;
//! assert_eq!(squares.collect::<Result<Vec<_>, _>>()?, [0, 1, 4, 9]);
//! assert_eq!(crash.result(None).unwrap_err().kind(), ErrorKind::WorkerDied);
//! # Ok::<(), concurrent_futures::Error>(())
//! ```
//!
//! # How it works
//!
//! A pool starts this very program again for each worker, and the worker serves tasks instead of running `main`. A task
//! is sent as the number of its function and its encoded arguments, through a ring in shared memory or a socket; its
//! result comes back the same way. A worker that dies costs the task that it ran, and is replaced by another.
//!
//! # Features
//!
//! `tracing`: events for the crate of that name, with target `process_pool`. They report workers that start (`DEBUG`),
//! replace another (`INFO`) and die (`WARN`), the pool's closing and end (`INFO`), and each task that is assigned and
//! done (`TRACE`), with the worker's name and process and the task's name and number. Events of the pool's own threads
//! are reported by the thread that runs callbacks. Without the feature none of this is compiled. The feature also
//! forwards what tasks emit, see the next section.
//!
//! `log`: the same for records of the crate `log`. It turns on `tracing`.
//!
//! # Events and records of tasks
//!
//! With the feature `tracing`, events that tasks emit in a worker reach the subscriber of this program, and with the
//! feature `log`, records reach its logger, as if the tasks ran here. Neither needs any code:
//!
#![cfg_attr(feature = "tracing", doc = "```")]
#![cfg_attr(not(feature = "tracing"), doc = "```ignore")]
//! # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
//! use concurrent_futures::{Executor, ProcessPoolExecutor};
//! use tracing::{info, info_span};
//!
//! fn parse(page: u64) -> u64 {
//!     info!(page, "parsing");
//!     page
//! }
//! // In `main`, before the pool is built. With the feature `fmt` of `tracing-subscriber`, this is
//! // `tracing_subscriber::fmt::init()`.
//! tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
//!
//! let pool = ProcessPoolExecutor::builder().max_workers(1).name_prefix("parser").build()?;
//! let request = info_span!("request", id = 7);
//! // Prints: INFO request{id=7}:task{id=1 name="…parse" worker="parser_0"}: parsing page=17
//! let page = request.in_scope(|| pool.submit(parse, 17))?;
//! assert_eq!(page.result(None)?, 17);
//! # Ok::<(), concurrent_futures::Error>(())
//! ```
//!
//! - **What arrives.** An event has its level, target, name, file, line, module path and fields, with numbers, `bool`,
//!   text and errors as such and everything else as the output of `Debug`. Texts are cut so that an event has at most
//!   16 KiB. A record has what the crate `log` knows of it but key-value pairs.
//! - **The parent of an event** is a span `task`, which has the task's id and name and the name of the worker. Its
//!   parent is the span in which the task was submitted; for the items of a map, that is the span of the call, or with
//!   a `buffersize` that of the `next` that has submitted the item. If the subscriber does not want the span `task`
//!   (`INFO`, target `process_pool`), that one is the parent of the event itself. A logger is called within the same
//!   span, so `tracing_log::LogTracer` gives records the same parent. Spans that the task has entered in the worker
//!   are not spans here: their names and fields are the text of a field `worker.spans`.
//! - **Levels.** A worker sends what `LevelFilter::current()` and `log::max_level()` allowed when it was started.
//!   Install the subscriber and the logger before the pool is built. Finer filters are applied here.
//! - **Order.** The events of a worker arrive in the order in which they were emitted, on the thread that runs
//!   callbacks. As long as no more than 4096 wait, those of a task are delivered before its callbacks and wakers run.
//!   A thread that is blocked in `result` may be ahead of them. All have been delivered when the pool has ended.
//! - **Deaths.** An event that was emitted arrives, however the worker ends afterwards.
//! - **Bounds.** A subscriber that is slow stalls no task. At most a mebibyte of events waits for it, and what does
//!   not fit is dropped and counted: a warning `dropped 1,204 events of worker parser_0`, with target `process_pool`,
//!   comes before the worker's next event. `tracing` keeps callsites for ever, so at most 2048 are made for all pools,
//!   and half of them for one. Further ones share a callsite with target `process_pool::event`, whose events have the
//!   fields `event.name`, `event.target`, `event.file`, `event.line`, `event.module_path` and `event.fields`.
//! - **A subscriber or logger of the worker's own**, which the initializer has installed, gets what it would get
//!   without this feature, and nothing is sent. Until the initializer returns, events of its thread are sent, and
//!   records are not.
//! - **Threads** that a task starts, or has left behind, emit events in the name of the task that runs. A child that a
//!   task has forked sends nothing.
//! - **Cost.** Each event takes a system call in the worker, and a pool that forwards takes one more for each time it
//!   reads replies. `forward_events(false)` of the builder turns it off for a pool. A [`Process`] forwards nothing.
//!
//! A task in a thread pool runs in this program, so its events need nothing of this. It runs outside of the span in
//! which it was submitted; to have it inside, submit `move || span.in_scope(|| ...)` with `span = Span::current()`.
//!
//! # Threads and signals
//!
//! A pool has a thread that manages the workers, a thread that runs callbacks, wakers and other user code, and a thread
//! that forwards the standard error of workers. The last two are started when they are first needed. All of them block
//! all signals, so that a program that waits for a signal receives it. A child process that a callback starts inherits
//! that mask, unless it is started with another one. Workers, and programs that tasks start, begin with the default
//! actions and no signal blocked. There is one exception: a worker survives a `SIGTERM` that this program has not sent,
//! see [`ProcessPoolExecutor`](ProcessPoolExecutor#ending-a-service).
//!
//! [`ProcessPoolBuilder::stdout`] and [`ProcessPoolBuilder::stderr`] hand the output of workers to a function, or drop
//! it. By default workers share the standard output of this program, and their standard error is forwarded:
//!
//! Lines that workers write to their standard error are written whole to this program's. A line that does not end is
//! forwarded after 200 milliseconds. If nothing reads this program's standard error for a second, workers no longer
//! wait for a reader. Output that does not fit is then left out, and the stream says how much. The end of a pool waits
//! at most a second if nothing reads, and five seconds if the reader is slow. Where a terminal or a pipe cannot be
//! opened again through `/proc`, a thread may be left behind that ends when something reads.
//!
//! # Platforms
//!
//! Linux has everything, on 32 and 64 bits, with glibc and with musl. On other Unix systems the crate compiles and was
//! not run; there, tasks are sent through sockets, and `memory_limit` counts address space. Windows is not supported
//! yet: `src/sys/WINDOWS.md` is the design of a port.
//!
//! # Error messages
//!
#![doc = include_str!("../MESSAGES.md")]

#[cfg(not(unix))]
compile_error!("process-pool needs a Unix system: turn off the feature `processes` of concurrent-futures here");

mod builder;
mod callbacks;
mod death;
mod executor;
mod forward;
mod frame;
mod lines;
mod output;
mod pool;
mod process;
mod sandbox;
mod start;
mod stats;
mod supervisor;
mod sys;
mod telemetry;
mod trace;
mod transport;
mod worker;

pub use builder::ProcessPoolBuilder;
pub use executor::ProcessPoolExecutor;
pub use output::{Output, OutputLine};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use pool::fuzzing;
pub use process::{Process, ProcessBuilder, ProcessInfo, Stdio, active_children, current_process, parent_process};
pub use sandbox::{Layer, LayerState, Network, Refusal, RefusedCall, Sandbox, SandboxStatus};
pub use start::entry::init;
pub use stats::Stats;
pub use transport::Transport;
