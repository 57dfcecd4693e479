//! Events of workers on their way through the pool.

use std::sync::Arc;

use super::{Pool, State, ids::SlotId, reader::ReplyReader};
use crate::telemetry::{Pipe, TaskSpan};

impl Pool {
    /// Reads events that a worker has sent. After it has released the reader, the caller makes the callback thread
    /// [deliver](Pool::deliver_telemetry) them.
    #[inline]
    pub(crate) fn read_telemetry(&self, slot: SlotId, reader: &mut ReplyReader) -> Pipe {
        reader.telemetry().read(|sequence| self.state.lock().spans_of(slot, sequence))
    }

    /// Reads the rest of the events of a worker that has ended.
    pub(crate) fn read_last_telemetry(&self, slot: SlotId, reader: &mut ReplyReader) {
        /// The pipe holds less than so many reads take, but a process that a task has forked may go on writing.
        const MOST_READS: usize = 32;
        let mut reads = 0;
        while reads < MOST_READS && self.read_telemetry(slot, reader) == Pipe::MayHaveMore {
            reads += 1;
        }
        reader.telemetry().finish();
    }

    /// Makes the callback thread hand the events that wait to the subscriber, unless it is about to. The caller holds
    /// no lock.
    #[inline]
    pub(crate) fn deliver_telemetry(&self) {
        if !self.telemetry.schedule(|telemetry| self.callbacks.deliver_telemetry(telemetry)) {
            self.run_callbacks_later();
        }
    }
}

impl State {
    /// Returns the spans of the task with this sequence number, if a worker has it.
    fn spans_of(&self, slot: SlotId, sequence: u64) -> Option<Arc<TaskSpan>> {
        let in_flight = self.slots.get(slot)?.worker()?.in_flight();
        let job = &in_flight.get(in_flight.binary_search_by_key(&sequence, |task| task.sequence).ok()?)?.job;
        job.telemetry.share(|| (job.task.id().as_u64(), job.task.name().to_string()))
    }
}
