//! Floors: the least work that the machine requires instead of a pool.

pub mod copy;
pub mod exec;
pub mod futex;
mod partner;
pub mod socketpair;

pub use exec::exec;
pub use futex::{Futex, Waiting};
pub use socketpair::SocketPair;
