//! Whether there is a connection.

use async_nats::{ClientError, Event, ServerError};
use tokio::sync::watch;

/// What is known about a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) is_connected: bool,
    /// How many times it was made. Whoever sees another number than before has missed that it was lost.
    pub(crate) connects: u64,
    /// Why there is no connection, as far as it is known.
    pub(crate) trouble: Option<String>,
    /// How many times in a row the server has refused the credentials.
    pub(crate) refusals: u32,
    /// What the server has not permitted to this connection, each once.
    pub(crate) denials: Vec<String>,
}

/// How many denials are kept. Each names a subject, of which a program uses few.
const MOST_DENIALS: usize = 64;

pub(super) fn channel() -> (watch::Sender<Status>, watch::Receiver<Status>) {
    watch::channel(Status::default())
}

impl Status {
    /// Returns whether the server does not permit this subject to this connection.
    pub(super) fn denies(&self, subject: &str) -> bool {
        let quoted = format!("\"{subject}\"");
        self.denials.iter().any(|denial| denial.contains(&quoted))
    }

    /// Notes an event. Some may be missing, because async-nats drops them while there are too many.
    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::Connected => {
                *self = Status { is_connected: true, connects: self.connects + 1, ..Status::default() };
            }
            Event::Disconnected | Event::Closed => {
                self.is_connected = false;
                self.trouble.get_or_insert_with(|| "the connection was lost".to_string());
            }
            Event::ClientError(ClientError::Other(text)) => {
                let is_refused = text.contains("authorization violation") || text.contains("signing nonce");
                self.refusals = if is_refused { self.refusals + 1 } else { 0 };
                self.trouble = Some(text);
            }
            Event::ServerError(ServerError::Other(text)) if text.to_lowercase().contains("permissions violation") => {
                self.add_denial(text);
            }
            Event::ServerError(error) => self.trouble = Some(error.to_string()),
            _ => {}
        }
    }

    fn add_denial(&mut self, text: String) {
        if !self.denials.contains(&text) && self.denials.len() < MOST_DENIALS {
            self.denials.push(text);
        }
    }
}
