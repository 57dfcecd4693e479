//! What a worker may do besides computing.
//!
//! [`options`] is the description that users give, [`rules`] what a worker gets of it, [`probe`] what a system has, and
//! [`lock`] the order in which a worker is restricted. `README.md` has the threat model and the reason for each rule.

mod lock;
mod options;
mod probe;
mod refused;
mod rules;
mod status;

pub(crate) use lock::Jail;
pub use options::{Network, Refusal, Sandbox};
pub use refused::RefusedCall;
pub(crate) use refused::{Refusals, Scanner};
pub(crate) use rules::Rules;
pub use status::{Layer, LayerState, SandboxStatus};
