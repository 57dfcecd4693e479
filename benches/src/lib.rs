//! The same work for everybody: our back-ends and their peers behind one small trait, so that a scenario is written once.
//!
//! `cargo bench -p benches` runs the scenarios under criterion. `cargo run --release -p benches --bin ratios` lets the
//! contenders take turns in one run and prints how they compare, which is the only kind of figure that means something
//! on another machine.

pub mod contender;

/// The work: as little as possible, so that what is measured is the way there and back.
pub fn add_one(n: u64) -> u64 {
    n + 1
}
