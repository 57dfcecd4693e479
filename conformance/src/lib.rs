//! The rules that every back-end of `concurrent-futures` must keep, as tests that any back-end can run.
//!
//! A back-end implements [`Harness`], which declares its capabilities, and [`suite!`] generates one test for each rule.
//! Rules that need a missing capability are skipped with a reason. A rule that hangs does not hang the test run: a
//! watchdog reports the state of each task, each gate and each call on the executor, and ends the process.
//!
//! # Testing a back-end
//!
//! This is a complete back-end in less than a hundred lines, with all of its tests.
//!
//! ```
#![doc = include_str!("../tests/it/example.rs")]
//! ```
//!
//! # The rules
//!
//! [`RULES`] lists them in numbered groups, each with its promise. A rule named `cf_nnn_...` corresponds to a case of
//! CPython's own tests of `concurrent.futures`.
//!
//! Rules submit function items and closures that capture nothing, with arguments that implement `Payload`, so they run
//! on back-ends with threads and with processes. Tasks report and wait at a [`Gate`], which is a socket. So a rule
//! learns by events what runs where, and no rule sleeps.
//!
//! # Time
//!
//! A rule may take 60 seconds in total and 20 seconds for a single event. The environment variable `CONFORMANCE_SCALE`
//! multiplies both.

#![forbid(unsafe_code)]

mod case;
mod gate;
mod harness;
mod leftovers;
mod probe;
mod registry;
mod rules;
mod subject;
mod suite;
mod tracked;
mod watchdog;

pub use case::Case;
pub use gate::{Arrival, Gate, Ticket};
pub use harness::{Capabilities, Harness, Need, Setup};
pub use leftovers::Leftovers;
pub use probe::{Counter, Probe};
pub(crate) use rules::table_of_rules;
pub use rules::{RULES, Rule};
pub use subject::{Address, Bare, Home, Subject};
pub use suite::{HUNG, check};
pub use tracked::Tracked;
pub use watchdog::{Limits, Outcome, run, watch};
