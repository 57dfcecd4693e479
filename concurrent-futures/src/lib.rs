//! One [`Executor`] interface for threads, processes and the caller's own thread, as `concurrent.futures` is in Python.
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
//! // What would end the program on threads is an error value on processes.
//! let crash = processes.submit(|()| -> u64 { std::process::abort() }, ())?;
//! assert_eq!(crash.result(None).unwrap_err().kind(), ErrorKind::WorkerDied);
//! # Ok::<(), Error>(())
//! ```
//!
//! # Concepts
//!
//! - An **executor** runs functions somewhere. [`ThreadPoolExecutor`] is for speed, [`ProcessPoolExecutor`] for
//!   isolation, [`InlineExecutor`] for debugging. Every executor is a [`Backend`], and `Box<dyn Backend>` is the one
//!   that is swapped.
//! - A **task** is a function and its argument. The function captures nothing, so its type names it in another process
//!   too; what it needs comes as its argument, which is a [`Payload`]: anything that serde can write and read.
//!   Only on threads there is more: [`ThreadPoolExecutor::spawn`] takes any closure, [`ThreadPoolExecutor::scope`]
//!   closures that borrow.
//! - A **future** is the handle of a task, of one type whatever runs it. Wait for it with a time-out, `.await` it,
//!   cancel it, add a callback; wait for many with [`wait`](wait()) and [`as_completed`].
//! - An **error** has a [kind](ErrorKind) and a message that says what to do next. A panic and a dead worker are values
//!   with all that is known about them.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `threads` | yes | [`ThreadPoolExecutor`] |
//! | `processes` | yes | [`ProcessPoolExecutor`]; Unix only |
//! | `rayon` | no | `RayonExecutor`, over a rayon pool that the program has already |
//!
//! A library that only takes executors turns all of them off, and its users choose.
//!
//! # Coming from Python
//!
//! | Python | here |
//! |---|---|
//! | `executor.submit(f, a, b)` | `executor.submit(f, (a, b))?` |
//! | `executor.map(f, xs, timeout=t, chunksize=n, buffersize=n)` | `executor.map_with(MapOptions::new()…, f, xs)?`: an iterator of results, which an error does not end |
//! | `future.result(timeout=t)` | `future.result(t)`, which moves the value out; [`Future::shared`] to read it often |
//! | `future.exception()` | `future.exception(None)?` |
//! | `wait(fs)`, `as_completed(fs)` | the same |
//! | `with ThreadPoolExecutor() as e:` | `let e = ThreadPoolExecutor::new(n)?;`: dropping it waits for all its tasks |
//! | `e.shutdown(cancel_futures=True)` | `e.shutdown(Shutdown::CancelPending)` |
//! | `e.terminate_workers()` | `e.shutdown(Shutdown::Terminate { grace })` |
//! | `BrokenProcessPool` for all | `WorkerDied` for the task that did it |

pub use executor_core::*;
#[cfg(feature = "processes")]
pub use process_pool;
#[cfg(feature = "processes")]
pub use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};
#[cfg(feature = "rayon")]
pub use thread_pool::RayonExecutor;
#[cfg(feature = "threads")]
pub use thread_pool::{self, Scope, ScopedFuture, ThreadPoolBuilder, ThreadPoolExecutor};

/// The README's code, run as a test.
#[cfg(all(doctest, feature = "threads", feature = "processes"))]
#[doc = include_str!("../../README.md")]
struct Readme;
