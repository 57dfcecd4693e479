//! An executor whose tasks run on many machines, over NATS JetStream.
//!
//! [`ClusterExecutor`] takes tasks, and agents run them: processes of the same build of the same program, which
//! [`init`] or [`serve`] makes. [`ClusterExecutor::local`] starts a server and an agent on this machine.
//!
//! The engine stores tasks and delivers each to an agent of the same build of the program. The client, which has the
//! future, decides whether a delivered task starts. So `cancel` and `running` need no network, and no state of a task
//! is kept anywhere else. The README of this crate says what that promises, and why it is kept.
//!
//! The parts can be used alone:
//!
//! - [`ClusterExecutor::over`] is an executor over another transport, and [`AgentService`] the agent that runs its
//!   tasks. The transport implements [`ClientLink`] and [`AgentLink`], and passes on what arrives.
//! - [`wire`] has what the two sides send each other, as bytes.
//! - [`client`] and [`agent`] decide: two state machines, events in and actions out. They do no input and output, start
//!   no thread and read no clock, so every loss, delay, repetition and crash can be played through in a test.

mod address;
pub mod agent;
mod builder;
pub mod client;
mod clock;
mod credentials;
mod defaults;
mod executor;
mod init;
mod link;
mod local;
mod nats;
mod objects;
mod outbox;
mod provision;
mod random;
mod rights;
mod serve;
mod server;
mod service;
#[cfg(test)]
mod simulation;
mod tls;
mod trace;
mod unique;
mod value;
pub mod wire;
mod worker_info;

pub use builder::ClusterBuilder;
pub use credentials::Credentials;
pub use executor::{ClientEvents, ClusterExecutor, ExecutorOptions, Stats};
pub use init::init;
pub use link::{AgentLink, ClientLink, LARGE, Then};
pub use objects::{Client, ClientBuilder, Guard, Lease, Lock, Map, Queue, QueueOptions};
pub use provision::{Provision, provision};
#[doc(hidden)]
pub use serve::serve_on;
pub use serve::{ServeOptions, serve};
pub use server::Server;
pub use service::{AgentService, ServiceOptions};
pub use tls::Tls;
pub use value::Value;
pub use worker_info::WorkerInfo;
