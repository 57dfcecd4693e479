//! The state transition after bytes have arrived from a worker.

use std::time::Instant;

use executor_core::Error;

use super::{Deferred, Phase, State, handle::ReplyEffect, ids::SlotId, reader::ReplyReader};
use crate::frame::ProtocolError;

/// The result of reading a worker's replies.
#[must_use]
#[derive(Default)]
pub(crate) struct Received {
    /// How many bytes have arrived.
    pub(crate) bytes: usize,
    /// How many tasks have ended.
    pub(crate) completed: usize,
    /// How many tasks the worker now has.
    pub(crate) left: usize,
    /// Whether the worker has become ready.
    pub(crate) became_ready: bool,
    /// Why the worker cannot become ready, if it has reported that.
    pub(crate) declined: Option<Error>,
    /// Whether the worker has broken the protocol. Its replies are no longer read.
    pub(crate) protocol_error: bool,
    /// Whether the supervisor must handle a part of this, if another thread has read it.
    pub(super) concerns_supervisor: bool,
    pub(crate) deferred: Deferred,
}

impl State {
    /// Applies the replies that have arrived completely, and gives queued tasks to the workers that can take more now.
    /// `bytes` is the number of bytes that were read.
    pub(crate) fn on_replies(
        &mut self,
        slot: SlotId,
        reader: &mut ReplyReader,
        bytes: usize,
        now: Instant,
    ) -> Received {
        let mut received = Received { bytes, ..Received::default() };
        let Some(worker) = self.slots[slot].worker_mut() else {
            // The pool has collapsed and dropped the worker.
            reader.close();
            return Received { protocol_error: true, concerns_supervisor: true, ..received };
        };
        let (stalled, was_idle) = (worker.stalled(now), worker.was_idle());
        let mut completions = Vec::new();
        loop {
            let effect = match reader.next_reply() {
                Ok(None) => break,
                Ok(Some((reply, body))) => worker.on_reply(reply, body, now),
                Err(error) => Err(error),
            };
            match effect {
                Ok(ReplyEffect::Progress) => {}
                Ok(ReplyEffect::Completed(completion)) => completions.push(completion),
                Ok(ReplyEffect::Declined(error)) => received.declined = Some(error),
                Ok(ReplyEffect::Ready(sandbox)) => {
                    received.became_ready = true;
                    self.sandbox = sandbox.or(self.sandbox.take());
                    reader.on_ready();
                }
                Err(ProtocolError) => {
                    received.protocol_error = true;
                    reader.close();
                    break;
                }
            }
        }
        if let Some(begun) = reader.long_reply_begun() {
            if let Some(memory) = worker.spare_memory(begun.sequence, begun.body) {
                reader.lend_memory(memory);
            }
        }
        worker.count_received(bytes);
        received.completed = completions.len();
        if !completions.is_empty() {
            self.counters.count_all(&completions);
            self.adapt_depth(slot, completions.len(), stalled, was_idle);
        }
        self.dispatch_into(now, &mut received.deferred);
        self.note_below_bound(&mut received.deferred);
        let most = self.limits.max_tasks_per_worker;
        let worker = self.worker(slot);
        received.left = worker.map_or(0, |worker| worker.in_flight().len());
        let must_leave = worker.is_some_and(|worker| worker.has_had_all_tasks(most) || worker.is_surplus());
        received.concerns_supervisor =
            received.protocol_error || self.phase > Phase::Open || self.broken.is_some() || must_leave;
        received.deferred.complete(completions, &self.slots[slot].name);
        received
    }
}
