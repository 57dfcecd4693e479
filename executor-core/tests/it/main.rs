//! Tests of the public interface of the core.
//!
//! No test sleeps to let something happen, and none fails because the machine is slow: threads are synchronized by
//! barriers, and races are repeated many times instead of being timed.

mod support;

mod awaiting;
mod callbacks;
mod forwarded;
mod hosts;
mod inside;
mod joining;
mod map;
mod map_future;
mod map_items;
mod misuse;
mod panics;
mod quiet;
mod races;
mod remote;
mod result_callbacks;
mod states;
mod stopping;
mod streams;
mod unread;
mod waiting;
