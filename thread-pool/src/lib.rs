//! Thread pools behind the [`Executor`](executor_core::Executor) interface of
//! [`concurrent-futures`](https://docs.rs/concurrent-futures).
//!
//! [`ThreadPoolExecutor`] has its own threads. `RayonExecutor` (feature `rayon`) runs tasks on an existing rayon pool.
//!
//! ```
//! # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
//! use concurrent_futures::{Error, Executor, ThreadPoolExecutor};
//!
//! let pool = ThreadPoolExecutor::new(4)?;
//!
//! // Every executor runs functions that capture nothing, on arguments.
//! let future = pool.submit(|n: u64| n * n, 12)?;
//! assert_eq!(future.result(None)?, 144);
//! let squares = pool.map(|n: u64| n * n, 0..5u64)?;
//! assert_eq!(squares.collect::<Result<Vec<_>, _>>()?, [0, 1, 4, 9, 16]);
//!
//! // Threads also run closures that capture, and closures that borrow.
//! let name = String::from("captured");
//! assert_eq!(pool.spawn(move || name.len())?.result(None)?, 8);
//! let text = String::from("borrowed");
//! assert_eq!(pool.scope(|scope| scope.spawn(|| text.len()).result(None))?, 8);
//!
//! // A future can be awaited on any async runtime.
//! async fn square(pool: &ThreadPoolExecutor, n: u64) -> Result<u64, Error> {
//!     pool.submit(|n: u64| n * n, n)?.await
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! # How it works
//!
//! 1. A submit moves the function and its arguments into a task and pushes it into a queue. Nothing is encoded, so a
//!    large `Vec` costs no more than a small one. Tasks from outside go to the *injector*, first in, first out. Tasks
//!    that a task submits go to the queue of its own worker. Tasks with a priority go to the *high* or the *low* queue.
//!    Then the submitter wakes a sleeping worker, unless another one is already searching.
//! 2. A worker polls the queues: high priorities, its own scoped tasks (newest first), its own other tasks, the
//!    injector, the queues of the other workers, low priorities. Every 32nd poll begins with another queue, so no task
//!    waits forever ([order](ThreadPoolExecutor#order)).
//! 3. The worker runs the task, stores the result or the panic in the task, wakes the threads that wait for it, and
//!    runs its callbacks and wakers.
//! 4. A worker that finds no task searches for some microseconds and then sleeps without a time-out, so an idle pool
//!    uses no processor time.
//! 5. A task that waits for another task of its pool runs that task inline if it has not started, so nested waits never
//!    use up the workers ([waiting inside a task](ThreadPoolExecutor#waiting-inside-a-task)).
//! 6. Dropping the executor closes the pool, waits for all submitted tasks, and joins the threads.
//!
//! A scope also divides work itself: [`Scope::join`], [`Scope::map`], [`Scope::for_each`] and [`Scope::reduce`] offer
//! halves of their work to idle workers, without a task for each.
//!
//! In the source, `sleep/README.md` has the protocol of sleeping and waking and the proof that no wake-up is lost,
//! `join/README.md` the argument for joins, `fairness.rs` the order of the polls, and `pool/closing.rs` the steps of a
//! close.
//!
//! # Features
//!
//! - `rayon`: `RayonExecutor`. It is off by default, because it depends on rayon.

mod builder;
mod counts;
mod executor;
mod exit_gate;
mod fairness;
mod fresh_stack;
mod global;
mod idle_waiters;
mod initializer;
mod job;
mod join;
mod local;
mod map;
mod phase;
mod pool;
mod queue_bound;
mod queues;
#[cfg(feature = "rayon")]
mod rayon;
mod returned;
mod scope;
mod sleep;
mod stale;
mod stats;
mod sync;
mod threads;
mod unwind;
mod unwind_safe;
mod worker;

#[cfg(feature = "rayon")]
pub use self::rayon::RayonExecutor;
pub use builder::ThreadPoolBuilder;
pub use executor::ThreadPoolExecutor;
pub use map::ClosureMap;
pub use scope::{Scope, ScopedFuture};
pub use stats::ThreadStats;

/// These types must stay usable from several threads.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<ThreadPoolExecutor>();
    is_send_and_sync::<Scope<'_, '_>>();
    is_send_and_sync::<ScopedFuture<'_, std::cell::Cell<u8>>>();
    #[cfg(feature = "rayon")]
    is_send_and_sync::<RayonExecutor>();
};
