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
//! cargo bench -p benches --features peers
//! ```
//!
//! The peers are behind the feature `peers`. Without it there is only the [`list`] of the scenarios; `compare` prints
//! it, and turns the feature on itself for everything else.
//!
//! In all scenarios pools have their default options and the same number of workers, and the results of a contender are
//! checked in every turn. The first turn of each side warms up and does not count. The order of the sides is shuffled
//! for each round.

pub mod list;

#[cfg(feature = "peers")]
pub mod contender;
#[cfg(feature = "peers")]
pub mod driver;
#[cfg(feature = "peers")]
pub mod machine;
#[cfg(feature = "peers")]
pub mod report;
#[cfg(feature = "peers")]
pub mod scenario;
#[cfg(feature = "peers")]
pub mod work;

#[cfg(feature = "peers")]
pub use work::Job;

/// The result of setting up a comparison. A contender whose work fails has no figure, and panics.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
