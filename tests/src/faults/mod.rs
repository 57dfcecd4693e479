//! The crash matrix: a table of what the caller sees when a fault happens to a worker at a place, and checks of a
//! process pool against it.
//!
//! [`table`] has the expected outcome of every [`Fault`] at every [`Place`]. [`check`] makes the fault happen there and
//! compares. [`report`] turns the table into `FAULTS.md`. `cargo run --release -p tests --bin faults` runs all cells.

pub mod check;
pub mod console;
pub mod fault;
mod memory;
pub mod payload;
pub mod place;
pub mod report;
pub mod signs;
pub mod snapshot;
pub mod strike;
pub mod table;

pub use check::Run;
pub use fault::Fault;
pub use place::Place;
