//! The process pool from outside: each rule on both transports.

mod aborts;
mod batches;
#[cfg(target_env = "gnu")]
mod burst;
mod claims;
mod deaths;
mod descendants;
mod diagnosis;
mod fork;
mod forwarding;
mod hostile;
mod initializer;
mod limits;
mod messages;
mod order;
mod orphans;
mod programs;
mod restarts;
mod rights;
mod security;
mod shutdown;
mod start;
mod stopped;
mod support;
mod terminal;
mod transport;
mod user_code;
mod words;
mod world;
