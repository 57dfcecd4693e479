//! What the machine allows: the least that somebody in the place of a pool would have to do.

pub mod copy;
pub mod exec;
pub mod futex;
mod partner;
pub mod socketpair;

pub use exec::exec;
pub use futex::{Futex, Waiting};
pub use socketpair::SocketPair;
