//! The protocol by which executors run tasks on the agents of other machines, over an engine that queues: NATS
//! JetStream.
//!
//! It is for authors of transports, and has no executor yet. The engine stores tasks and delivers each to an agent of
//! the same build of the program. The client, which has the future, decides whether a delivered task starts. So
//! `cancel` and `running` need no network, and no state of a task is kept anywhere else.
//!
//! - [`wire`] has what the two sides send each other, as bytes.
//! - [`client`] and [`agent`] are the two sides as state machines: events in, actions out. They do no input and output,
//!   start no thread and read no clock, so every loss, delay, repetition and crash can be played through in a test.
//!
//! The README of this crate says what the protocol promises, and why it keeps it.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod agent;
pub mod client;
mod clock;
#[cfg(test)]
mod simulation;
pub mod wire;
