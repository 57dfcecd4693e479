//! A job: the pool's record of a task, until the task has ended.

use std::time::Duration;

use executor_core::{
    Error, ErrorKind, Task,
    codec::{
        Bytes,
        handles::{Collector, Handle, Handles, Missing},
    },
    function::{Address, batch, outcome},
};

use super::completion::Completion;
use crate::{
    frame::{Body, Request, RequestKind},
    telemetry::TaskTelemetry,
};

/// A task and its encoded arguments.
pub(crate) struct Job {
    pub(crate) task: Task,
    /// Its number among all tasks of the pool, in the order in which they were accepted.
    pub(super) number: u64,
    /// Whether it is next because of its age, regardless of priorities.
    pub(super) is_due: bool,
    function: Address,
    /// The argument, or the records of a batch.
    body: Bytes,
    /// Whether the memory of the body was reused, so that the body cannot be sent again.
    is_spent: bool,
    /// Boxed because few jobs have it and jobs are moved often.
    extra: Option<Box<Extra>>,
    /// The number of the attempt that is next or runs now, from 1 on.
    pub(crate) attempt: u32,
    /// How strongly it is suspected of killing the workers that read it.
    strikes: u32,
    pub(crate) time_limit: Option<Duration>,
    /// The spans of the task, if events of workers are forwarded.
    pub(super) telemetry: TaskTelemetry,
}

/// A task fails when three workers have died after they began to read it and before they started it: most likely its
/// arguments do not fit into their memory. Without this bound it would kill one worker after another forever.
const MOST_STRIKES: u32 = 3 * HARD;
const HARD: u32 = 400;

/// The most handles of one outcome. A worker that sends more could use up the descriptors of this program.
pub(crate) const MOST_HANDLES: usize = 1024;

/// The strike for a worker that died before it read the task. It counts little: when many workers are killed, a task
/// may be given to several that are already dead.
const SOFT: u32 = 1;

/// What an ordinary task does not have.
#[derive(Default)]
struct Extra {
    batch: Option<Batch>,
    /// The handles of the arguments. They live until the task has ended, because it may be sent again.
    handles: Handles,
    /// How many descriptors were sent to the task's worker because of it.
    fresh: usize,
    /// The handles that have come with the outcomes so far.
    received: Vec<Handle>,
    /// How many handles have come since the last outcome.
    received_for_next: usize,
    /// Whether descriptors of the next outcome could not be received.
    next_is_lost: bool,
}

struct Batch {
    /// How many items have no outcome yet.
    open: usize,
    /// How many items of the body have an outcome. The next attempt begins after them.
    done: usize,
    /// The records of the outcomes so far.
    reply: Vec<u8>,
}

/// The fate of a task whose worker has died.
pub(crate) enum AfterDeath {
    Complete(Completion),
    /// The task, or the rest of a batch, runs again.
    Retry(Job),
}

impl Job {
    /// Encodes the arguments of a task.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be encoded, or another process cannot find the function.
    #[inline]
    pub(crate) fn new(task: Task, default_limit: Option<Duration>) -> Result<Job, Error> {
        let collector = Collector::open();
        let (body, encoded) = Bytes::written(|body| task.encode(body))?;
        let handles = collector.close();
        let function = Address::of(encoded.entry)?;
        let extra = if encoded.batch.is_none() && handles.is_empty() && task.origin().is_none() {
            None
        } else {
            let batch = encoded.batch.map(|open| Batch { open, done: 0, reply: Vec::new() });
            Some(Box::new(Extra { batch, handles, ..Extra::default() }))
        };
        let time_limit = task.time_limit().or(default_limit);
        Ok(Job {
            task,
            number: 0,
            is_due: false,
            function,
            body,
            is_spent: false,
            extra,
            attempt: 1,
            strikes: 0,
            time_limit,
            telemetry: TaskTelemetry::default(),
        })
    }

    fn batch(&self) -> Option<&Batch> {
        self.extra.as_ref()?.batch.as_ref()
    }

    /// Returns the handles of the arguments.
    pub(super) fn handles(&self) -> &Handles {
        const NONE: &Handles = &Handles::NONE;
        self.extra.as_ref().map_or(NONE, |extra| &extra.handles)
    }

    /// Records how many descriptors were sent to the task's worker because of it.
    pub(super) fn set_fresh(&mut self, fresh: usize) {
        if let Some(extra) = &mut self.extra {
            extra.fresh = fresh;
        }
    }

    /// Returns that number, for the end of the task or its return to the queue.
    pub(super) fn take_fresh(&mut self) -> usize {
        self.extra.as_mut().map_or(0, |extra| std::mem::take(&mut extra.fresh))
    }

    /// Adds handles that belong to the next outcome. `lost` says whether others could not be received. Returns `false`
    /// if a healthy worker would not send so many.
    #[must_use]
    pub(super) fn receive(&mut self, handles: impl IntoIterator<Item = Handle>, lost: bool) -> bool {
        let extra = self.extra.get_or_insert_default();
        let before = extra.received.len();
        extra.received.extend(handles);
        extra.received_for_next += extra.received.len() - before;
        extra.next_is_lost |= lost;
        extra.received_for_next <= MOST_HANDLES
    }

    /// Returns `true` if it has nothing but its task and its body: it is no batch, and has no handles.
    pub(super) fn is_plain(&self) -> bool {
        self.extra.is_none()
    }

    /// Returns the end of the task, which has this reply.
    pub(crate) fn into_completion(self, reply: Bytes) -> Completion {
        match self.extra {
            Some(extra) if !extra.received.is_empty() => {
                Completion::ReplyWith(self.task, Box::new((reply, Handles::from(extra.received))))
            }
            _ => Completion::Reply(self.task, reply),
        }
    }

    /// Returns the job's priority in the queue.
    pub(super) fn rank(&self) -> i32 {
        if self.is_due { i32::MAX } else { self.task.priority() }
    }

    /// Returns the part of the request after its head. It does not change while a worker has the job.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Removes the items that have an outcome, before the rest is sent to another worker.
    pub(crate) fn trim(&mut self) {
        if let Some(batch) = self.extra.as_mut().and_then(|extra| extra.batch.as_mut()).filter(|batch| batch.done > 0) {
            let mut items = batch::records(&self.body);
            items.by_ref().take(batch.done).for_each(drop);
            let left = items.rest().len();
            self.body.skip(self.body.len() - left);
            batch.done = 0;
        }
    }

    /// Returns a job that consists of the task alone.
    pub(crate) fn emptied(task: Task) -> Job {
        let function = Address { offset: 0, fingerprint: 0 };
        let body = Bytes::default();
        Job {
            task,
            number: 0,
            is_due: false,
            function,
            body,
            is_spent: false,
            extra: None,
            attempt: 1,
            strikes: 0,
            time_limit: None,
            telemetry: TaskTelemetry::default(),
        }
    }

    /// Splits the job into its task and the body that would have been sent.
    pub(crate) fn into_body(self) -> (Task, Bytes) {
        (self.task, self.body)
    }

    /// Takes the body of a cancelled task, and drops the handles. That runs no user code.
    pub(super) fn take_body(&mut self) -> Bytes {
        if let Some(extra) = &mut self.extra {
            extra.handles = Handles::NONE;
        }
        std::mem::take(&mut self.body)
    }

    /// Takes the memory of the body for a reply of this length, if the reply fits and the task cannot run again. The
    /// task must have started.
    pub(super) fn spend(&mut self, length: u64) -> Option<Bytes> {
        let fits = self.body.capacity() as u64 / 2 <= length && self.body.capacity() as u64 >= length / 2;
        if self.is_batch() || self.attempt <= self.task.retries() || !fits {
            return None;
        }
        self.is_spent = true;
        Some(std::mem::take(&mut self.body))
    }

    /// Returns `true` if the memory of the body was reused. Then the task has started, whatever its worker reports.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Returns the head of the request that runs the task. The name follows directly, and then the body.
    pub(crate) fn head(&self, sequence: u64, name: &str) -> Request {
        // A task that was forwarded is not ordinary, so most tasks need no look.
        let origin = self.extra.as_ref().and_then(|_| self.task.origin());
        Request {
            kind: if self.time_limit.is_some() { RequestKind::RunTimed } else { RequestKind::Run },
            batch: self.batch().map_or(0, |batch| u32::try_from(batch.open).unwrap_or(u32::MAX)),
            sequence,
            task: origin.map_or(self.task.id(), |origin| origin.task).as_u64(),
            function: self.function,
            attempt: origin.map_or(self.attempt, |origin| origin.attempt_after(self.attempt - 1)),
            name: name.len() as u32,
            body: self.body.len() as u64,
        }
    }

    /// Returns `true` if it is a batch, which is many calls that are sent together.
    pub(crate) fn is_batch(&self) -> bool {
        self.batch().is_some()
    }

    /// Returns how many items have received an outcome in this attempt.
    pub(crate) fn received(&self) -> u64 {
        self.batch().map_or(0, |batch| batch.done as u64)
    }

    /// Returns how many items have no outcome.
    pub(crate) fn open(&self) -> u64 {
        self.batch().map_or(1, |batch| batch.open as u64)
    }

    /// Applies the outcome that the worker has sent: for a batch, the records of the next outcomes, at most `most`.
    /// Returns the reply of the task if this was the last outcome.
    pub(crate) fn outcome(&mut self, outcome: Body<'_>, most: u64) -> Option<Bytes> {
        let Some(extra) = &mut self.extra else { return Some(outcome.into()) };
        extra.received_for_next = 0;
        let outcome = if std::mem::take(&mut extra.next_is_lost) {
            replace_lost(&outcome, extra.batch.is_some()).into()
        } else {
            outcome
        };
        let Some(batch) = &mut extra.batch else { return Some(outcome.into()) };
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(batch.open);
        let count = match outcome {
            Body::Records(records, count) if count <= most => {
                batch.reply.extend_from_slice(records);
                count
            }
            outcome => {
                let mut records = batch::records(&outcome);
                let count = records.by_ref().take(most).count();
                batch.reply.extend_from_slice(&outcome[..outcome.len() - records.rest().len()]);
                count
            }
        };
        batch.open -= count;
        batch.done += count;
        if batch.open > 0 {
            return None;
        }
        // The task as a whole did not fail.
        let mut reply = std::mem::take(&mut batch.reply);
        outcome::close_value(&mut reply);
        Some(Bytes::from(reply))
    }

    /// Applies this error as the outcome of the task, or of the next item of a batch.
    fn fails(&mut self, error: &Error) -> Option<Bytes> {
        let mut bytes = Vec::new();
        match self.is_batch() {
            false => outcome::write_error(error, &mut bytes),
            true => batch::write_record(&mut bytes, |bytes| outcome::write_error(error, bytes)),
        }
        self.outcome(bytes.into(), u64::MAX)
    }

    /// Decides the fate of the task after its worker died before it started, while nothing else ran there. `begun`
    /// tells whether the worker had begun to read it.
    pub(crate) fn after_death_before_start(mut self, begun: bool, error: Error) -> AfterDeath {
        self.strikes += if begun { HARD } else { SOFT };
        if self.strikes < MOST_STRIKES { AfterDeath::Retry(self) } else { self.after_death_while_running(error, false) }
    }

    /// Ends the task with this error, or as cancelled if there is none. Items of a batch keep the outcomes that they
    /// have.
    pub(crate) fn abandon(mut self, reason: Option<&Error>) -> Completion {
        let has_outcomes = self.batch().is_some_and(|batch| !batch.reply.is_empty());
        match (has_outcomes, reason) {
            (false, None) => Completion::Cancel(self.task),
            (false, Some(reason)) => Completion::Error(self.task, reason.clone()),
            (true, reason) => {
                let error = reason.cloned().unwrap_or_else(|| {
                    Error::new(ErrorKind::Cancelled, "the executor was closed before this item of a map was run")
                });
                loop {
                    if let Some(reply) = self.fails(&error) {
                        return self.into_completion(reply);
                    }
                }
            }
        }
    }

    /// Forgets that handles of an outcome have come that itself did not come before the worker died.
    fn forget_unfinished(&mut self) {
        if let Some(extra) = &mut self.extra {
            let kept = extra.received.len() - extra.received_for_next;
            extra.received.truncate(kept);
            (extra.received_for_next, extra.next_is_lost) = (0, false);
        }
    }

    /// Decides the fate of the task after its worker died while it ran: it runs again if it may, and otherwise fails
    /// with `error`.
    pub(crate) fn after_death_while_running(mut self, error: Error, may_retry: bool) -> AfterDeath {
        if may_retry && self.attempt <= self.task.retries() {
            self.forget_unfinished();
            self.attempt += 1;
            return AfterDeath::Retry(self);
        }
        self.forget_unfinished();
        if !self.is_batch() {
            return AfterDeath::Complete(Completion::Error(self.task, error));
        }
        match self.fails(&error) {
            Some(reply) => AfterDeath::Complete(self.into_completion(reply)),
            None => {
                self.attempt = 1;
                AfterDeath::Retry(self)
            }
        }
    }
}

/// Returns the outcomes with an error in place of the first, whose descriptors this program could not receive.
#[cold]
fn replace_lost(outcome: &[u8], is_batch: bool) -> Vec<u8> {
    let error = Error::new(ErrorKind::Decode, format!("the result could not be decoded: {}", Missing::NoDescriptors));
    let mut bytes = Vec::new();
    if !is_batch {
        outcome::write_error(&error, &mut bytes);
    } else if let Some((_, behind)) = batch::split_record(outcome) {
        batch::write_record(&mut bytes, |bytes| outcome::write_error(&error, bytes));
        bytes.extend_from_slice(behind);
    }
    bytes
}
