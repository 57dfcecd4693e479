//! Thread pools behind the [`Executor`](executor_core::Executor) interface of
//! [`concurrent-futures`](https://docs.rs/concurrent-futures).

mod builder;
mod crew;
mod executor;
mod gate;
mod lanes;
mod local;
mod pool;
mod room;
mod sleep;
mod unwind;
mod worker;

pub use builder::ThreadPoolBuilder;
pub use executor::ThreadPoolExecutor;
