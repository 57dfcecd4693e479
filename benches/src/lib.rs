//! Benchmarks of our pools, their peers and the limits of the machine on the same work.
//!
//! A *contender* ([`contender`]) is a pool that runs a [`Job`], or a floor: the least work that the machine requires
//! for it. A *scenario* ([`scenario`]) is written once for all contenders, and has targets. The [`driver`] lets the
//! sides of a scenario take turns in one run, because only ratios of figures that were measured side by side are
//! meaningful on another machine. [`report`] writes the results.
//!
//! ```sh
//! cargo run --release -p benches --bin compare -- --list
//! cargo run --release -p benches --bin compare -- submit map --turns 15
//! cargo run --release -p benches --bin compare -- --write
//! cargo run --release -p benches --bin compare -- --draw
//! cargo bench -p benches
//! ```
//!
//! In all scenarios pools have their default options and the same number of workers, and the results of a contender are
//! checked in every turn. The first turn of each side warms up and does not count. The order of the sides is shuffled
//! for each round.

pub mod contender;
pub mod driver;
pub mod machine;
pub mod report;
pub mod scenario;
pub mod work;

pub use work::Job;

/// The result of setting up a comparison. A contender whose work fails has no figure, and panics.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
