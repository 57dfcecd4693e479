//! Code that the tests of several back-ends share, and the parts of the programs in `src/bin`.

pub mod crash;
pub mod faults;
pub mod harness;
pub mod soak;
