//! Thread pools behind the [`Executor`](executor_core::Executor) interface of
//! [`concurrent-futures`](https://docs.rs/concurrent-futures).
//!
//! ```
//! use executor_core::{Error, Executor};
//! use thread_pool::ThreadPoolExecutor;
//!
//! let pool = ThreadPoolExecutor::new(4)?;
//!
//! // What every executor can do: functions that capture nothing, on arguments of their own.
//! let future = pool.submit(|n: u64| n * n, 12)?;
//! assert_eq!(future.result(None)?, 144);
//! let squares = pool.map(|n: u64| n * n, 0..5u64)?;
//! assert_eq!(squares.collect::<Result<Vec<_>, _>>()?, [0, 1, 4, 9, 16]);
//!
//! // What threads can do besides: closures that capture, and closures that borrow.
//! let name = String::from("captured");
//! assert_eq!(pool.spawn(move || name.len())?.result(None)?, 8);
//! let text = String::from("borrowed");
//! assert_eq!(pool.scope(|scope| scope.spawn(|| text.len()).result(None))?, 8);
//! # Ok::<(), Error>(())
//! ```
//!
//! [`ThreadPoolExecutor`] has threads of its own. `RayonExecutor` (feature `rayon`) runs tasks on a rayon pool that the
//! program has already.
//!
//! # How it works
//!
//! Tasks from outside wait in one queue, first in, first out; tasks that a task submits wait in a queue of its worker,
//! from which idle workers steal. Tasks with a priority wait in two queues of their own, one before and one after all
//! that. Now and then a worker looks at them in another order, so that no task waits for ever behind the others:
//! `src/fairness.rs`. A submit takes no lock: it pushes, and looks whether a worker must be woken. The protocol of
//! sleeping and waking, and the argument that no wake-up is lost, are in `src/sleep/README.md`; how a pool ends is in
//! `src/pool.rs` and `src/gate.rs`.
//!
//! # Features
//!
//! - `rayon`: `RayonExecutor`. Off by default, because it pulls in rayon.

mod builder;
mod executor;
mod exit_gate;
mod fairness;
mod fresh_stack;
mod initializer;
mod local;
mod phase;
mod pool;
mod queue_bound;
mod queues;
#[cfg(feature = "rayon")]
mod rayon;
mod scope;
mod sleep;
mod stale;
mod sync;
mod threads;
mod unwind;
mod unwind_safe;
mod worker;

#[cfg(feature = "rayon")]
pub use self::rayon::RayonExecutor;
pub use builder::ThreadPoolBuilder;
pub use executor::ThreadPoolExecutor;
pub use scope::{Scope, ScopedFuture};

/// What is handed from thread to thread must be able to be.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<ThreadPoolExecutor>();
    is_send_and_sync::<Scope<'_, '_>>();
    is_send_and_sync::<ScopedFuture<'_, std::cell::Cell<u8>>>();
    #[cfg(feature = "rayon")]
    is_send_and_sync::<RayonExecutor>();
};
