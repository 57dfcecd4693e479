//! The thread pool from outside.

mod aborts;
mod basics;
mod blocking;
mod bounded;
mod closing;
#[cfg(unix)]
mod forked;
mod idle;
mod initializer;
mod nesting;
mod order;
#[cfg(feature = "rayon")]
mod over_rayon;
#[cfg(target_os = "linux")]
mod refused;
mod scope;
mod shells;
mod starvation;
mod support;
mod timed;
mod waiting;
