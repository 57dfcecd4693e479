//! Whether there is a connection, for those who follow it.

use tokio::sync::watch;

use super::Status;

/// Follows whether there is a connection.
pub(super) struct Connection {
    status: watch::Receiver<Status>,
    connects: u64,
    is_connected: bool,
}

/// What has happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    Lost,
    /// It is there again, or for the first time. What was sent before may be lost.
    Made,
}

impl Connection {
    pub(super) fn new(status: watch::Receiver<Status>) -> Connection {
        Connection { status, connects: 0, is_connected: false }
    }

    /// Waits until something has changed.
    pub(super) async fn changed(&mut self) {
        if self.status.changed().await.is_err() {
            // The connection has ended, and so does this thread.
            std::future::pending::<()>().await;
        }
    }

    /// Returns what has changed since the last call.
    pub(super) fn change(&mut self) -> Change {
        let status = self.status.borrow_and_update();
        let (was, had) = (self.is_connected, self.connects);
        (self.is_connected, self.connects) = (status.is_connected, status.connects);
        match (was, self.is_connected) {
            (true, false) => Change::Lost,
            (_, true) if self.connects != had => Change::Made,
            _ => Change::Nothing,
        }
    }

    pub(super) fn denies(&self, subject: &str) -> bool {
        self.status.borrow().denies(subject)
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.status.borrow().trouble.clone()
    }
}
