//! Executors and agents over an engine in this process and over real servers, and objects between machines.

mod agents;
mod conformance;
#[cfg(feature = "tracing")]
mod events;
mod faults;
mod local;
mod loopback;
mod objects;
mod values;
