//! Tests of the public interface, between threads and between processes that are killed.
#![cfg(target_os = "linux")]

mod arguments;
mod barrier;
mod condition;
mod cpython;
mod event;
mod extremes;
mod limits;
mod locks;
mod memory;
mod messages;
mod pipe;
mod pool;
mod processes;
mod queue;
mod sandbox;
mod semaphore;
mod shared;
mod storm;
mod support;
mod under_way;
