//! Worker slots. A pool has one for each worker that it may have, for as long as the pool lives.
//!
//! The parent's knowledge of a worker is in three records, one for each kind of protection:
//!
//! - The [`WorkerHandle`] in its [`WorkerSlot`] has the process, the sending end of the link, the tasks and the
//!   deadlines. It is used under the lock of the pool's [`State`](super::State).
//! - The [`ReplyReader`](super::ReplyReader) has the receiving end of the link. It is used by one thread at a time,
//!   under a lock of its own, so that reading replies does not keep others from the state.
//! - The supervisor's `WorkerIo` has the standard error, and the descriptors that the poller watches. It is used
//!   without a lock.
//!
//! Each is made when the worker starts and dropped as a whole after its death. The slot stays.

use super::{
    handle::WorkerHandle,
    ids::{SlotId, WorkerId},
};
use crate::{sys::child::Process, transport::Outbox};

/// See the [module](self).
pub(crate) struct WorkerSlot {
    id: SlotId,
    /// The name of each worker that is in this slot.
    pub(crate) name: String,
    /// How many workers have been in this slot.
    generation: u64,
    pub(super) worker: Option<WorkerHandle>,
    /// Whether the last worker left because the pool had too many, so that the next one is no replacement.
    was_vacated: bool,
    /// Whether a timer is set to start a worker here.
    pub(crate) waits_for_start: bool,
    past: PastWorkers,
}

/// The values that survive a worker on purpose.
struct PastWorkers {
    /// The last sequence number. The next worker continues from here, so that no two tasks have the same number, and a
    /// task that still carries a number of a dead worker is not mistaken for another one.
    last_sequence: u64,
    /// The depth of the last worker. The next worker is sent tasks of the same kind, so their length need not be
    /// measured again.
    depth: usize,
    /// The bytes that were sent and received, for the pool's statistics.
    bytes_sent: u64,
    bytes_received: u64,
}

impl WorkerSlot {
    pub(crate) fn new(id: SlotId, name: String) -> WorkerSlot {
        let past = PastWorkers { last_sequence: 0, depth: 1, bytes_sent: 0, bytes_received: 0 };
        WorkerSlot { id, name, generation: 0, worker: None, was_vacated: false, waits_for_start: false, past }
    }

    /// Notes that the worker leaves because the pool has too many.
    pub(super) fn vacate(&mut self) {
        self.was_vacated = true;
    }

    /// Returns `true` if the next worker here takes the place of one that has died or has had all its tasks.
    pub(super) fn replaces_another(&self) -> bool {
        self.generation > 0 && !self.was_vacated
    }

    /// Puts a new worker into the slot.
    pub(crate) fn attach(&mut self, process: Process, outbox: Box<dyn Outbox>) -> &mut WorkerHandle {
        debug_assert!(self.worker.is_none(), "the worker before it was detached");
        self.generation += 1;
        (self.was_vacated, self.waits_for_start) = (false, false);
        let id = WorkerId { slot: self.id, generation: self.generation };
        let handle = WorkerHandle::new(id, process, outbox, self.past.last_sequence, self.past.depth);
        self.worker.insert(handle)
    }

    /// Removes the worker, whose process has ended, from the slot.
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

    /// Bounds the depth of the slot's worker, until its next replies change it.
    pub(crate) fn bound_depth(&mut self, most: usize) {
        match &mut self.worker {
            Some(worker) => worker.bound_depth(most),
            None => self.past.depth = self.past.depth.min(most),
        }
    }

    /// Returns how many bytes were ever sent to workers of this slot.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.past.bytes_sent + self.worker.as_ref().map_or(0, WorkerHandle::bytes_sent)
    }

    /// Returns how many bytes were ever received from workers of this slot.
    pub(crate) fn bytes_received(&self) -> u64 {
        self.past.bytes_received + self.worker.as_ref().map_or(0, WorkerHandle::bytes_received)
    }

    /// Returns the description of the worker for error texts.
    pub(crate) fn describe_worker(&self) -> String {
        match self.worker.as_ref().map(WorkerHandle::pid_in_errors) {
            Some(pid) => format!("worker process {pid} ({})", self.name),
            None => format!("worker {}", self.name),
        }
    }
}
