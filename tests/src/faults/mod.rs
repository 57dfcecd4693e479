//! The crash matrix: what the caller sees when a fault meets a worker at a place, as a table in code, and the checks
//! that hold a pool of processes to it.
//!
//! [`table`] says what is to be seen, for every [`Fault`] at every [`Place`]; [`check`] makes the fault happen there
//! and looks; [`report`] writes the table down for people. `cargo run --release -p tests --bin faults` runs all of it.

pub mod check;
pub mod console;
pub mod fault;
pub mod left;
pub mod payload;
pub mod place;
pub mod report;
pub mod signs;
pub mod strike;
pub mod table;

pub use check::Run;
pub use fault::Fault;
pub use place::Place;
