//! A batch that runs in this worker.

use std::io;

use executor_core::{
    codec::handles,
    fork,
    function::{batch, outcome},
    task::Remote,
};

use super::{
    boundary::Boundary,
    descriptors::{Descriptors, Place},
    end::{end_copy, end_group},
};
use crate::{
    frame::{Reply, ReplyKind, Request, RequestKind},
    transport::Port,
};

/// The progress of a batch.
pub(super) struct RunningBatch<'a> {
    port: &'a mut dyn Port,
    descriptors: &'a Descriptors,
    boundary: &'a mut Boundary,
    generation: fork::Generation,
    remote: &'a Remote,
    is_timed: bool,
    /// How many items have no outcome yet.
    open: u32,
    /// The item that the claim names. It does not advance without a time limit, because then the parent does not ask
    /// which item runs.
    claimed: u64,
    pub(super) result: io::Result<()>,
}

impl<'a> RunningBatch<'a> {
    /// Begins the reply to a batch, and its first item.
    pub(super) fn begin(
        port: &'a mut dyn Port,
        descriptors: &'a Descriptors,
        boundary: &'a mut Boundary,
        generation: fork::Generation,
        request: &Request,
        remote: &'a Remote,
    ) -> io::Result<RunningBatch<'a>> {
        let head = Reply { kind: ReplyKind::Outcomes, sequence: request.sequence, body: request.batch.into() };
        port.write(&head.to_bytes(), &[])?;
        let is_timed = request.kind == RequestKind::RunTimed;
        boundary.begin_batch();
        let open = request.batch;
        Ok(RunningBatch { port, descriptors, boundary, generation, remote, is_timed, open, claimed: 0, result: Ok(()) })
    }

    /// Returns `true` if there are items without an outcome, and a parent to which it can be sent.
    pub(super) fn is_open(&self) -> bool {
        self.open > 0 && self.result.is_ok()
    }

    /// Adds the outcome of an item. Returns `false` if the next item must not be called.
    pub(super) fn end_item(&mut self, record: &[u8]) -> bool {
        self.boundary.end_and_begin();
        end_copy(self.generation);
        self.open = self.open.saturating_sub(1);
        let is_last = self.open == 0;
        // This is also the case if the task was condemned, which the claim then shows.
        let is_stopped = self.remote.is_asked_to_stop();
        if !is_last && (self.is_timed || is_stopped) {
            self.advance();
        }
        if is_last && !self.port.finish(self.remote.number, self.claimed) {
            end_group();
        }
        self.result = self.send(record, is_last);
        self.boundary.note_between();
        self.is_open() && !is_stopped
    }

    fn advance(&mut self) {
        if self.is_timed {
            self.port.note_time();
        }
        if !self.port.advance(self.remote.number, self.claimed) {
            // The task was condemned while it ran, has reached its end nevertheless, and must not report it.
            end_group();
        }
        self.claimed += 1;
    }

    fn send(&mut self, record: &[u8], is_last: bool) -> io::Result<()> {
        let handles = handles::take_results();
        let refused = if handles.is_empty() {
            Ok(())
        } else {
            self.descriptors.send(&handles, self.port, Place::BetweenRecords)?
        };
        match refused {
            Ok(()) => self.port.write(record, &[])?,
            Err(error) => {
                let mut record = Vec::new();
                batch::write_record(&mut record, |outcome| outcome::write_error(&error, outcome));
                self.port.write(&record, &[])?;
            }
        }
        // The next item may end this process, and this item has its outcome.
        self.port.hand_over()?;
        // With a time limit the parent follows the items one by one. Without one, it is woken only at the end.
        if is_last || self.is_timed { self.port.ring_doorbell() } else { Ok(()) }
    }
}
