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
//! are reported by the thread that runs callbacks. Without the feature none of this is compiled.
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
