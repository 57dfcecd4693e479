//! What holds for clients and agents if nothing else is said.

use std::time::Duration;

/// The pool of those that name none.
pub(crate) const POOL: &str = "default";

/// How long to wait for a server, and for an agent.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(60);
