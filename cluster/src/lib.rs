//! The protocol by which executors run tasks on the agents of other machines, over an engine that queues: NATS
//! JetStream.
//!
//! The engine stores tasks and delivers each to an agent of the same build of the program. The client, which has the
//! future, decides whether a delivered task starts. So `cancel` and `running` need no network, and no state of a task
//! is kept anywhere else. The README of this crate says what that promises, and why it is kept.
//!
//! There is no transport yet, so this crate is for authors of one.
//!
//! - [`ClusterExecutor`] is an executor over a transport, and [`AgentService`] the agent that runs its tasks. The
//!   transport implements [`ClientLink`] and [`AgentLink`], and passes on what arrives.
//! - [`wire`] has what the two sides send each other, as bytes.
//! - [`client`] and [`agent`] decide: two state machines, events in and actions out. They do no input and output, start
//!   no thread and read no clock, so every loss, delay, repetition and crash can be played through in a test.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[allow(dead_code, reason = "the transport uses it")]
mod address;
pub mod agent;
pub mod client;
mod clock;
mod executor;
mod link;
#[allow(dead_code, reason = "the transport uses it")]
mod nats;
mod outbox;
mod random;
mod rights;
mod server;
mod service;
#[cfg(test)]
mod simulation;
#[allow(dead_code, reason = "the transport uses it")]
mod tls;
#[allow(dead_code, reason = "the transport uses it")]
mod unique;
pub mod wire;

pub use executor::{ClientEvents, ClusterExecutor, ExecutorOptions};
pub use link::{AgentLink, ClientLink};
pub use server::Server;
pub use service::{AgentService, ServiceOptions};
pub use tls::Tls;
