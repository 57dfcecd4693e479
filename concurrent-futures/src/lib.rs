//! One `Executor` interface for threads, processes and the caller's own thread.

pub use executor_core::*;
#[cfg(feature = "processes")]
pub use process_pool;
#[cfg(feature = "processes")]
pub use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};
#[cfg(feature = "rayon")]
pub use thread_pool::RayonExecutor;
#[cfg(feature = "threads")]
pub use thread_pool::{self, Scope, ScopedFuture, ThreadPoolBuilder, ThreadPoolExecutor};
