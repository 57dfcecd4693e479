//! The core of [`concurrent-futures`](https://docs.rs/concurrent-futures): the [`Executor`] interface, its [`Future`]s
//! and their [`Error`]s, and the [`InlineExecutor`]. It starts no thread and does no input or output; back-ends do.
//!
//! ```
//! # use executor_core as concurrent_futures;
//! use concurrent_futures::{Backend, Error, Executor, InlineExecutor, as_completed};
//!
//! fn word_lengths(executor: &dyn Backend) -> Result<usize, Error> {
//!     let words = ["one", "three", "seven"];
//!     let futures = words.map(|word| executor.submit(|word: String| word.len(), word.to_string()));
//!     let mut letters = 0;
//!     for future in as_completed(futures.into_iter().collect::<Result<Vec<_>, _>>()?, None) {
//!         letters += future?.result(None)?;
//!     }
//!     Ok(letters)
//! }
//! assert_eq!(word_lengths(&InlineExecutor::new())?, 13);
//! # Ok::<(), Error>(())
//! ```
//!
//! # For users
//!
//! [`Executor`] submits and maps, [`Future`] is the handle of a submitted task, [`wait`] and [`as_completed`] wait for
//! many futures, and [`task::current`] describes the running task.
//!
//! # For authors of back-ends
//!
//! A back-end implements [`Backend`], and receives [`Task`]s. [`host`] is for back-ends that pass tasks on before they
//! start, [`function`] and [`codec`] for those that run them in another process, `shared_memory` for those that share
//! memory with it, [`fork`] for detecting a fork, and [`spin`] for threads that spin before they sleep.

#[cfg(not(target_has_atomic = "64"))]
compile_error!(
    "concurrent-futures needs atomic operations on 64 bits, which this target does not have: task ids, claims and the \
     states of tasks are such words"
);

mod awaited;
mod backend;
#[doc(hidden)]
pub mod boundary;
mod cancellation;
mod catch;
mod chunks;
pub mod codec;
#[doc(hidden)]
pub mod confinement;
mod countdown;
#[doc(hidden)]
pub mod deadline;
mod error;
mod executor;
pub mod fork;
pub mod function;
mod future;
mod group;
#[doc(hidden)]
pub mod growing;
pub mod host;
mod idle;
mod inline;
mod map;
#[cfg(feature = "metrics")]
pub mod metrics;
mod nesting;
mod options;
mod payload;
mod promise;
mod result_callback;
mod running;
#[doc(hidden)]
pub mod scoped;
mod shared;
#[cfg(not(loom))]
pub mod shared_memory;
mod signal;
pub mod spin;
mod stack;
mod stop_on_drop;
mod stream_group;
#[doc(hidden)]
pub mod submit_line;
mod submitting;
mod sync;
pub mod task;
mod unread;
mod unwind;
mod wait;
mod waiting;
mod worker;
mod worker_local;

pub use awaited::Awaited;
pub use backend::{Backend, Shutdown};
pub use cancellation::CancellationToken;
#[doc(hidden)]
pub use error::escape;
pub use error::{Error, ErrorKind, FlattenResult, Panic, TaskError, WorkerDeath};
pub use executor::Executor;
pub use future::Future;
pub use inline::InlineExecutor;
pub use map::{Map, MapPairs, MapStream};
pub use options::{MapOptions, TaskOptions};
pub use payload::{Function, Payload};
pub use promise::{Promise, promise};
pub use shared::{AwaitedShared, SharedFuture};
pub use stop_on_drop::StopOnDrop;
pub use submitting::Submitting;
pub use task::{Task, TaskId};
pub use wait::{AsCompleted, AsFuture, CompletedStream, ReturnWhen, Waited, as_completed, race, try_join_all, wait};
pub use worker_local::WorkerLocal;
