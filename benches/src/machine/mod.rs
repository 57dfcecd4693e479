//! The machine: what it is, what it grants this process, and what is used of it.

pub mod cpu;
mod facts;
pub mod heap;
mod limits;

pub use facts::facts;
pub use limits::prepare;
