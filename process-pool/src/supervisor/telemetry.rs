//! Reading the events that workers send.

use super::Supervisor;
use crate::{pool::SlotId, telemetry::Pipe};

impl Supervisor {
    /// Reads events that a worker has sent.
    pub(super) fn read_telemetry(&mut self, slot: SlotId) {
        let pool = &self.pool;
        let pipe = pool.with_reader(slot, |reader| pool.read_telemetry(slot, reader));
        pool.deliver_telemetry();
        if let (Some(Pipe::Closed), Some(io)) = (pipe, &mut self.worker_io[slot]) {
            io.close_telemetry(&self.pool.poller);
        }
    }

    /// Reads the rest of the events of a worker that has ended. They belong to the tasks that it had, which fail only
    /// after this.
    pub(super) fn read_last_telemetry(&self, slot: SlotId) {
        let pool = &self.pool;
        pool.with_reader(slot, |reader| pool.read_last_telemetry(slot, reader));
        pool.deliver_telemetry();
    }
}
