//! What the tests of several back-ends share.

pub mod harness;
