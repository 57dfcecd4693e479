//! Thread pools behind the [`Executor`](executor_core::Executor) interface of
//! [`concurrent-futures`](https://docs.rs/concurrent-futures).

mod builder;
mod crew;
mod executor;
mod gate;
mod lanes;
mod local;
mod pool;
#[cfg(feature = "rayon")]
mod rayon;
mod room;
mod scope;
mod sleep;
mod unwind;
mod worker;

#[cfg(feature = "rayon")]
pub use self::rayon::RayonExecutor;
pub use builder::ThreadPoolBuilder;
pub use executor::ThreadPoolExecutor;
pub use scope::{Scope, ScopedFuture};
