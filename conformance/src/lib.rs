//! The rules that every back-end of `concurrent-futures` must follow, as tests that any back-end can run.
//!
//! A back-end implements [`Harness`], which declares its capabilities, and [`suite!`] generates one test for each rule.
//! Rules that need a missing capability are skipped with a reason. A rule that hangs does not hang the test run: a
//! watchdog reports the state of each task, each gate and each call on the executor, and ends the process.
//!
//! # Testing a back-end
//!
//! This is a complete back-end in about a hundred lines, with all of its tests.
//!
//! ```
#![doc = include_str!("../tests/it/example.rs")]
//! ```
//!
//! # The rules
//!
//! [`RULES`] lists the rules in numbered groups, each with its promise. A rule named `cf_nnn_...` corresponds to a case
//! of CPython's own tests of `concurrent.futures`.
//!
//! Rules submit function items and closures that capture nothing, with arguments that implement `Payload`, so they run
//! on back-ends with threads and with processes. Tasks report and wait at a [`Gate`], which is a socket. So events
//! show a rule what runs where, and no rule sleeps. A task that may not connect to its gate fails. A harness whose
//! tasks may not connect lets their workers connect earlier, with [`HubAddress`].
//!
//! # Features
//!
//! `rules`, which is on by default: the rules themselves, and [`suite!`]. They take most of the time of building this
//! crate. Tests that only need gates and the watchdog turn it off.
//!
//! # Time
//!
//! A rule may take 60 seconds in total and 20 seconds for a single event. The environment variable `CONFORMANCE_SCALE`
//! multiplies both.

#![forbid(unsafe_code)]
// Some of what the rules use is used by nothing else.
#![cfg_attr(not(feature = "rules"), allow(dead_code))]

mod case;
mod gate;
mod harness;
mod hello;
mod hub;
mod probe;
mod registry;
mod resources;
mod rule;
#[cfg(feature = "rules")]
mod rules;
mod subject;
#[cfg(feature = "rules")]
mod suite;
mod ticket;
mod tracked;
mod visitor;
mod watchdog;

pub use case::Case;
pub use gate::{Arrival, Gate};
pub use harness::{Capabilities, Harness, Need, Setup};
pub use hub::HubAddress;
pub use probe::{Counter, Probe};
pub use resources::ResourceSnapshot;
pub use rule::Rule;
#[cfg(feature = "rules")]
pub use rules::RULES;
#[cfg(feature = "rules")]
pub(crate) use rules::table_of_rules;
pub use subject::{Address, AddressGuard, Bare, Subject};
#[cfg(feature = "rules")]
pub use suite::check;
pub use ticket::Ticket;
pub use tracked::Tracked;
pub use watchdog::{HUNG, Limits, Outcome, run, watch};
