//! Records on their way, collected by the peer that they are for.

use std::collections::HashMap;

use crate::wire::{Peer, Record, pack};

/// How many peers are found by looking at each of them.
const FEW: usize = 8;

/// Records on their way to peers. Those for one peer become one frame, in their order.
pub(crate) struct Outbox<R> {
    records: Vec<(Peer, Vec<R>)>,
    /// The places of the peers in `records`, if they are more than a few: a client may ping a thousand agents together.
    places: HashMap<Peer, usize>,
}

impl<R> Default for Outbox<R> {
    fn default() -> Outbox<R> {
        Outbox { records: Vec::new(), places: HashMap::new() }
    }
}

impl<R: Record> Outbox<R> {
    pub(crate) fn push(&mut self, to: Peer, record: R) {
        match self.place(&to) {
            Some(at) => self.records[at].1.push(record),
            None => {
                if self.records.len() >= FEW {
                    let known = self.places.len();
                    let new = self.records.iter().enumerate().skip(known);
                    self.places.extend(new.map(|(at, (peer, _))| (peer.clone(), at)));
                    self.places.insert(to.clone(), self.records.len());
                }
                self.records.push((to, vec![record]));
            }
        }
    }

    fn place(&self, to: &Peer) -> Option<usize> {
        // Mostly it is the same one as before.
        if self.records.last().is_some_and(|(peer, _)| peer == to) {
            return Some(self.records.len() - 1);
        }
        if self.records.len() <= FEW {
            return self.records.iter().position(|(peer, _)| peer == to);
        }
        self.places.get(to).copied()
    }

    pub(crate) fn send(self, from: &Peer, mut send: impl FnMut(&Peer, Vec<u8>)) {
        for (to, records) in self.records {
            pack(from, &records).into_iter().for_each(|frame| send(&to, frame));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ToClient, unpack};

    #[test]
    fn each_peer_gets_one_frame_however_many_there_are() {
        let name = |at: usize| Peer::new("user", &at.to_string()).expect("a name");
        for peers in [1, FEW - 1, FEW, FEW + 1, 100] {
            let mut outbox: Outbox<ToClient> = Outbox::default();
            (0..3).for_each(|_| (0..peers).for_each(|at| outbox.push(name(at), ToClient::Alive)));
            let mut sent = Vec::new();
            outbox.send(&name(0), |to, frame| {
                assert_eq!(unpack::<ToClient>(&frame).expect("a frame").1.len(), 3);
                sent.push(to.clone());
            });
            assert_eq!(sent, (0..peers).map(name).collect::<Vec<_>>());
        }
    }
}
