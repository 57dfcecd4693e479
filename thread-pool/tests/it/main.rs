//! Tests of the public interface of the thread pool.

mod aborts;
mod basics;
mod blocking;
mod bounded;
mod closing;
#[cfg(unix)]
mod forked;
mod global;
mod idle;
mod initializer;
mod map_closure;
mod nesting;
mod order;
#[cfg(feature = "rayon")]
mod over_rayon;
mod parallel;
#[cfg(target_os = "linux")]
mod refused;
mod scope;
mod stale;
mod starvation;
mod stats;
mod support;
mod timed;
mod unread;
mod wait_idle;
mod waiting;
mod width;
