//! Items that only authors of back-ends need.
//!
//! A back-end implements [`Backend`](crate::Backend), whose four methods handle a [`Task`](crate::Task). Its users get
//! [`Executor`](crate::Executor), which every `Backend` implements. These modules add what some back-ends need:
//!
//! - [`host`]: requests of a future to its back-end, such as withdrawing a task from a worker's queue.
//! - [`function`] and [`codec`]: how a function and its argument reach another process.
//! - [`fork`]: how a back-end finds out that it runs in a forked child.
//! - `metrics`, a feature: how a back-end hands its statistics to the program's recorder.
//! - [`spin`]: how long a thread of a back-end spins before it sleeps.
//!
//! The crate `concurrent-futures-conformance` tests a back-end against the rules that every back-end must follow.

#[cfg(feature = "metrics")]
pub use executor_core::metrics;
pub use executor_core::{codec, fork, function, host, spin};
