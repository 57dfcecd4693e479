//! What the tests of several back-ends share.

pub mod costs;
pub mod crash;
pub mod faults;
pub mod harness;
pub mod soak;
