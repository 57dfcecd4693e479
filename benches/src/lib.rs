//! Our pools, their peers and the limits of the machine on the same work.
//!
//! A *contender* ([`contender`]) is somebody who can run a [`Job`] elsewhere, or a raw floor that nobody can get below.
//! A *scenario* ([`scenario`]) is written once for all of them, and says what is to be reached. The [`driver`] lets the
//! sides of a scenario take turns in one run, because only the ratio of figures that were taken side by side means
//! something on another machine; [`report`] shows what came out.
//!
//! ```sh
//! cargo run --release -p benches --bin compare -- --list
//! cargo run --release -p benches --bin compare -- submit map --turns 15
//! cargo run --release -p benches --bin compare -- --write
//! cargo bench -p benches
//! ```
//!
//! What holds for all scenarios: pools have their default options and the same width; what a contender computes is
//! checked in every turn; the first turn of everybody warms up and does not count; the order of the sides is shuffled
//! for each round.

pub mod contender;
pub mod driver;
pub mod machine;
pub mod report;
pub mod scenario;
pub mod work;

pub use work::Job;

/// What may go wrong while a comparison is set up. A contender that fails at its work has no figure, and panics.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
