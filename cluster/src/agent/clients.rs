//! Which clients an agent has heard, and which cannot be reached.

use std::{collections::HashMap, time::Duration};

use crate::wire::Peer;

/// The clients of an agent.
#[derive(Debug, Default)]
pub(super) struct Clients {
    clients: HashMap<Peer, Client>,
}

#[derive(Debug)]
struct Client {
    /// When the last record came from it.
    heard: Duration,
    /// Since when the engine says that no one listens there.
    gone: Option<Duration>,
}

impl Clients {
    pub(super) fn heard(&mut self, peer: &Peer, now: Duration) {
        match self.clients.get_mut(peer) {
            Some(client) => *client = Client { heard: now, gone: None },
            None => {
                self.clients.insert(peer.clone(), Client { heard: now, gone: None });
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Returns when the last record came from a client. An outcome was granted, so its client was heard, and it is not
    /// forgotten before.
    pub(super) fn last_heard(&self, peer: &Peer) -> Duration {
        self.clients.get(peer).map_or(Duration::ZERO, |client| client.heard)
    }

    /// Notes that a client cannot be reached. Returns whether that is so for at least `grace`.
    pub(super) fn unreachable(&mut self, peer: &Peer, now: Duration, grace: Duration) -> bool {
        let client = self.clients.entry(peer.clone()).or_insert(Client { heard: now, gone: Some(now) });
        let gone = *client.gone.get_or_insert(now);
        now.saturating_sub(gone) >= grace
    }

    /// Forgets the clients of which nothing was noted for so long, and of which the agent has nothing.
    pub(super) fn forget(&mut self, now: Duration, after: Duration, has_holds: impl Fn(&Peer) -> bool) {
        self.clients.retain(|peer, client| {
            let last = client.gone.map_or(client.heard, |gone| gone.max(client.heard));
            now.saturating_sub(last) < after || has_holds(peer)
        });
    }
}
