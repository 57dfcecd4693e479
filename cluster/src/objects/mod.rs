//! Queues, maps and locks between machines.

mod builder;
mod client;
mod connection;
mod guard;
mod lease;
mod lock;
mod map;
mod name;
mod options;
mod outage;
mod queue;
mod term;
mod value;

pub use self::{
    builder::ClientBuilder, client::Client, guard::Guard, lease::Lease, lock::Lock, map::Map, options::QueueOptions,
    queue::Queue,
};
