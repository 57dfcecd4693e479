//! Worker slots: a pool has one for each worker that it may have, for as long as the pool lives.
//!
//! A worker is known to the parent in three records, one for each way in which it is protected:
//!
//! | record | what it has | who uses it |
//! |---|---|---|
//! | [`WorkerHandle`] in a [`WorkerSlot`] | the process, the sending end of its link, its tasks, its deadlines | whoever holds the lock of the pool's [`State`](super::State) |
//! | [`ReplyReader`](super::ReplyReader) | the receiving end of its link | one thread at a time, under a lock of its own |
//! | `WorkerIo` of the supervisor | its standard error, and what the poller watches | the supervisor, without a lock |
//!
//! Each is made when the worker starts and dropped as a whole when it has died. The slot stays.

use std::ops::{Index, IndexMut};

use super::handle::WorkerHandle;
use crate::{process::Process, transport::Outbox};

/// The number of a slot, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SlotId(usize);

impl SlotId {
    pub(crate) const FIRST: SlotId = SlotId(0);

    pub(crate) fn new(index: usize) -> SlotId {
        SlotId(index)
    }

    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// One worker: a slot, and how many workers the slot had up to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WorkerId {
    pub(crate) slot: SlotId,
    pub(crate) generation: u64,
}

impl WorkerId {
    /// Returns whether another worker had the slot before.
    pub(crate) fn is_replacement(self) -> bool {
        self.generation > 1
    }

    /// Returns the slot and the generation as numbers.
    pub(crate) fn as_key(self) -> (usize, u64) {
        (self.slot.index(), self.generation)
    }
}

/// Where a task is: the slot of its worker, and its sequence number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Assignment {
    pub(crate) slot: SlotId,
    pub(crate) sequence: u64,
}

impl Assignment {
    const SEQUENCE_BITS: u32 = 40;

    /// Returns it as the number that a task carries.
    pub(crate) fn pack(self) -> u64 {
        (self.slot.0 as u64) << Self::SEQUENCE_BITS | self.sequence & ((1 << Self::SEQUENCE_BITS) - 1)
    }

    /// Reverses [`pack`](Assignment::pack).
    pub(crate) fn unpack(packed: u64) -> Assignment {
        let slot = SlotId((packed >> Self::SEQUENCE_BITS) as usize);
        Assignment { slot, sequence: packed & ((1 << Self::SEQUENCE_BITS) - 1) }
    }
}

/// One value for each slot of a pool.
pub(crate) struct PerSlot<T>(Box<[T]>);

impl<T> PerSlot<T> {
    pub(crate) fn new(slots: usize, value: impl FnMut(SlotId) -> T) -> PerSlot<T> {
        PerSlot((0..slots).map(SlotId).map(value).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = SlotId> + use<T> {
        (0..self.0.len()).map(SlotId)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// Returns the value of a slot, or `None` if this pool has no such slot.
    pub(crate) fn get(&self, slot: SlotId) -> Option<&T> {
        self.0.get(slot.0)
    }

    pub(crate) fn get_mut(&mut self, slot: SlotId) -> Option<&mut T> {
        self.0.get_mut(slot.0)
    }
}

impl<T> Index<SlotId> for PerSlot<T> {
    type Output = T;

    fn index(&self, slot: SlotId) -> &T {
        &self.0[slot.0]
    }
}

impl<T> IndexMut<SlotId> for PerSlot<T> {
    fn index_mut(&mut self, slot: SlotId) -> &mut T {
        &mut self.0[slot.0]
    }
}

/// See the [module](self).
pub(crate) struct WorkerSlot {
    id: SlotId,
    /// The name of each worker that is in this slot.
    pub(crate) name: String,
    /// How many workers have been in this slot.
    generation: u64,
    pub(super) worker: Option<WorkerHandle>,
    past: PastWorkers,
}

/// What survives a worker on purpose.
struct PastWorkers {
    /// The last sequence number. The next worker goes on from here, so that a number never means two tasks: a task that
    /// still carries the number of a dead worker is then not mistaken for another one.
    last_sequence: u64,
    /// How many tasks the last worker was given at once. The next one is sent tasks of the same kind, and need not find
    /// out once more how short they are.
    depth: usize,
    /// What was sent and received, for the pool's statistics.
    bytes_sent: u64,
    bytes_received: u64,
}

impl WorkerSlot {
    pub(crate) fn new(id: SlotId, name: String) -> WorkerSlot {
        let past = PastWorkers { last_sequence: 0, depth: 1, bytes_sent: 0, bytes_received: 0 };
        WorkerSlot { id, name, generation: 0, worker: None, past }
    }

    /// Puts a worker that was started into the slot.
    pub(crate) fn attach(&mut self, process: Process, outbox: Box<dyn Outbox>) -> &mut WorkerHandle {
        debug_assert!(self.worker.is_none(), "the worker before it was detached");
        self.generation += 1;
        let id = WorkerId { slot: self.id, generation: self.generation };
        let handle = WorkerHandle::new(id, process, outbox, self.past.last_sequence, self.past.depth);
        self.worker.insert(handle)
    }

    /// Takes the worker out of the slot, whose process has ended.
    pub(crate) fn detach(&mut self) -> Option<WorkerHandle> {
        let worker = self.worker.take()?;
        self.past = PastWorkers {
            last_sequence: worker.last_sequence(),
            depth: worker.depth(),
            bytes_sent: self.past.bytes_sent + worker.bytes_sent(),
            bytes_received: self.past.bytes_received + worker.bytes_received(),
        };
        Some(worker)
    }

    pub(crate) fn worker(&self) -> Option<&WorkerHandle> {
        self.worker.as_ref()
    }

    pub(crate) fn worker_mut(&mut self) -> Option<&mut WorkerHandle> {
        self.worker.as_mut()
    }

    /// Bounds how many tasks a worker of this slot is given at once, until its replies tell more.
    pub(crate) fn bound_depth(&mut self, most: usize) {
        match &mut self.worker {
            Some(worker) => worker.bound_depth(most),
            None => self.past.depth = self.past.depth.min(most),
        }
    }

    /// How many bytes were ever sent to workers of this slot.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.past.bytes_sent + self.worker.as_ref().map_or(0, WorkerHandle::bytes_sent)
    }

    /// How many bytes were ever received from them.
    pub(crate) fn bytes_received(&self) -> u64 {
        self.past.bytes_received + self.worker.as_ref().map_or(0, WorkerHandle::bytes_received)
    }

    /// Returns the worker as errors name it.
    pub(crate) fn describe_worker(&self) -> String {
        match self.worker.as_ref().and_then(WorkerHandle::pid) {
            Some(pid) => format!("worker process {pid} ({})", self.name),
            None => format!("worker {}", self.name),
        }
    }
}
