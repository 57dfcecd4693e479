//! The connection that the objects of a client share.

use std::{sync::Arc, time::Duration};

use executor_core::{Error, ErrorKind, escape};
use tokio::time::Instant;

use super::outage::{Outage, Trouble};
use crate::nats::{Engine, Failure, Stores};

/// The connection that the objects of a client share.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) engine: Engine,
    pub(super) stores: Stores,
    /// How long what is held stays so without a sign of life.
    pub(super) lease: Duration,
    /// How many servers have a copy of what is made.
    pub(super) replicas: usize,
    pub(super) unavailable_after: Duration,
}

impl Connection {
    /// Runs an operation on the thread of the connection. It must end by itself.
    pub(super) fn run<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<Result<T, Trouble>, Error> {
        self.engine.run(Duration::MAX, async { Ok(operation.await) })
    }

    /// Begins an operation that must end at the deadline.
    pub(super) fn outage(&self, deadline: Option<Instant>) -> Outage {
        Outage::new(self.engine.status(), self.unavailable_after, deadline)
    }

    /// Returns `true` if there is a connection at the moment.
    pub(super) fn is_connected(&self) -> bool {
        self.engine.status().borrow().is_connected
    }

    /// Returns the error of an operation on an object.
    pub(super) fn error(&self, what: &str, trouble: &Trouble) -> Error {
        let servers = self.engine.servers();
        let (kind, message) = match trouble {
            Trouble::TimedOut => (ErrorKind::Timeout, format!("{what}: the time has run out")),
            Trouble::Engine(Failure::Full(reason)) => {
                (ErrorKind::QueueFull, format!("{what} is full, or its server at {servers}: {}", shown(reason)))
            }
            Trouble::Engine(Failure::Away(reason)) => (
                ErrorKind::Unavailable,
                format!(
                    "{what}: the server at {servers} has not answered within {:?}: {}; check that it runs, and that \
                     JetStream is on",
                    self.unavailable_after,
                    shown(reason)
                ),
            ),
            Trouble::Engine(other) => (
                ErrorKind::Unavailable,
                format!("{what}: the server at {servers} refuses it: {}", shown(&other.to_string())),
            ),
        };
        Error::new(kind, message)
    }
}

/// Returns the deadline of a caller that waits for so long.
pub(super) fn deadline(timeout: impl Into<Option<Duration>>) -> Option<Instant> {
    timeout.into().and_then(|timeout| Instant::now().checked_add(timeout))
}

/// Returns what the server has said, without what could act on a terminal.
fn shown(reason: &str) -> String {
    escape::message(reason).into_owned()
}

/// What the objects of a client share.
pub(super) type Shared = Arc<Connection>;
