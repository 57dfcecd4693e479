//! What several of the tests need.

pub use test_support::{Blocker, DEADLINE as HANGS, wait_until, watched};
