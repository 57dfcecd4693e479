//! Records on their way, collected by the peer that they are for.

use crate::wire::{Peer, Record, pack};

/// Records on their way to peers. Those for one peer become one frame, in their order.
pub(crate) struct Outbox<R>(Vec<(Peer, Vec<R>)>);

impl<R> Default for Outbox<R> {
    fn default() -> Outbox<R> {
        Outbox(Vec::new())
    }
}

impl<R: Record> Outbox<R> {
    pub(crate) fn push(&mut self, to: Peer, record: R) {
        // There are few peers at a time, and mostly the same one as before.
        match self.0.iter_mut().rev().find(|(peer, _)| *peer == to) {
            Some((_, records)) => records.push(record),
            None => self.0.push((to, vec![record])),
        }
    }

    pub(crate) fn send(self, from: &Peer, mut send: impl FnMut(&Peer, Vec<u8>)) {
        for (to, records) in self.0 {
            pack(from, &records).into_iter().for_each(|frame| send(&to, frame));
        }
    }
}
