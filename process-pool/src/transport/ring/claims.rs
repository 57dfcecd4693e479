//! The claims of a ring, as the parent reads and changes them.

use std::{
    sync::{Arc, atomic::Ordering::*},
    time::Duration,
};

use super::{layout, sync::SharedMemory};
use crate::transport::{Claim, Claims};

/// The claims in one ring's memory.
#[derive(Clone)]
pub(super) struct RingClaims(pub(super) Arc<SharedMemory>);

impl RingClaims {
    fn change(&self, sequence: u64, item: u64, from: u64, to: u64) -> bool {
        let (from, to) = (layout::claim_word(sequence, item, from), layout::claim_word(sequence, item, to));
        // ORDERING: the word alone decides between the two sides, and the worker reads nothing else that this side has
        // written before.
        self.0.word(layout::claim_offset(sequence)).compare_exchange(from, to, Relaxed, Relaxed).is_ok()
    }
}

impl Claims for RingClaims {
    fn slots(&self) -> u64 {
        layout::SLOTS
    }

    fn taken(&self) -> u64 {
        // ORDERING: Acquire pairs with the Release in `RingPort::start`: the worker is done with the slots up to here.
        self.0.word(layout::TAKEN).load(Acquire)
    }

    fn offer(&self, sequence: u64) {
        let word = layout::claim_word(sequence, 0, layout::OFFERED);
        // ORDERING: published to the worker by the tail of the ring, which is stored after the frame is sent.
        self.0.word(layout::claim_offset(sequence)).store(word, Relaxed);
    }

    fn withdraw(&self, sequence: u64) -> bool {
        self.change(sequence, 0, layout::OFFERED, layout::WITHDRAWN)
    }

    fn claim(&self, sequence: u64) -> Claim {
        // ORDERING: Acquire pairs with the Release of `RingPort::change`: a reader that sees an item run sees its time,
        // or a later one's, in `started_at`.
        let word = self.0.word(layout::claim_offset(sequence)).load(Acquire);
        match layout::read_claim(word, sequence) {
            Some((layout::OFFERED, _)) => Claim::Offered,
            Some((layout::RUNNING, item)) => Claim::Running { item },
            Some((layout::FINISHED, _)) => Claim::Finished,
            _ => Claim::Gone,
        }
    }

    fn condemn(&self, sequence: u64, item: u64) -> bool {
        self.change(sequence, item, layout::RUNNING, layout::CONDEMNED)
    }

    fn ask_to_stop(&self, sequence: u64) {
        // ORDERING: the number stands for itself.
        self.0.word(layout::STOP).store(sequence, Relaxed);
    }

    fn started_at(&self) -> Duration {
        // ORDERING: the claim is read before, and its Acquire orders the two.
        Duration::from_nanos(self.0.word(layout::STARTED_AT).load(Relaxed))
    }
}
