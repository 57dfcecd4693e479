//! The machine: facts about it, limits of this process, and what is used.

pub mod cpu;
mod facts;
pub mod heap;
mod limits;
pub mod pin;
pub mod resident;
pub mod shares;

pub use facts::{Fact, facts};
pub use limits::prepare;
