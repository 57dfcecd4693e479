//! What rows are made with.

pub mod frame;
pub mod journal;
pub mod load;
pub mod member;
pub mod network;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod secrets;
pub mod server;
