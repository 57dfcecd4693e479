//! The rules that every back-end of `concurrent-futures` keeps, as tests that any back-end can run.
//!
//! A back-end says what it can do by implementing [`Harness`], and [`suite!`] makes a test of each rule.
//! Rules about what it cannot do are skipped with a reason. A rule that hangs does not hang the run: a watchdog says
//! what each task, each gate and each call on the executor was doing, and ends the process.
//!
//! # A back-end of one's own
//!
//! This is a whole back-end in less than a hundred lines, and the whole of its tests.
//!
//! ```
#![doc = include_str!("../tests/it/example.rs")]
//! ```
//!
//! # The rules
//!
//! They are numbered by groups and listed in [`RULES`], each with its promise. Those named `cf_nnn_...` answer to a case
//! of CPython's own tests of `concurrent.futures`.
//!
//! What a rule submits is a function item or a closure that captures nothing, and what it passes is a `Payload`, so the
//! rules run on back-ends in this process and in others. Tasks report and wait at a [`Gate`], which is a socket, so a
//! rule knows by events what runs where, and no rule sleeps.
//!
//! # Time
//!
//! A rule may take 60 seconds and waits 20 seconds for a single event; the environment variable `CONFORMANCE_SCALE`
//! multiplies both.

#![forbid(unsafe_code)]

mod case;
mod gate;
mod harness;
mod leftovers;
mod probe;
mod rules;
mod suite;
mod watchdog;

pub use case::{Address, Bare, Case, Home, Subject, Tracked};
pub use gate::{Arrival, Gate, Ticket};
pub use harness::{Capabilities, Harness, Need, Setup};
pub use leftovers::Leftovers;
pub use probe::{Counter, Probe};
pub(crate) use rules::table_of_rules;
pub use rules::{RULES, Rule};
pub use suite::{HUNG, check};
pub use watchdog::{Limits, Outcome, run, watch};
