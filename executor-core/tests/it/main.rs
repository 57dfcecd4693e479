//! What the core promises, asked from outside.
//!
//! No test sleeps to let something happen, and none fails because the machine is slow: threads are brought together by
//! barriers, and the races are tried many times instead of being timed.

mod support;

mod awaiting;
mod callbacks;
mod elsewhere;
mod hosts;
mod inside;
mod map;
mod misuse;
mod panics;
mod quiet;
mod races;
mod states;
mod waiting;
