//! A task on its way: what the pool keeps of it until it is done.

use std::{borrow::Cow, time::Duration};

use executor_core::{
    Error, ErrorKind, Task,
    codec::Bytes,
    function::{Address, batch, outcome},
};

use super::completion::Completion;
use crate::frame::{Request, RequestKind};

/// A task that was written down.
pub(crate) struct Job {
    pub(crate) task: Task,
    /// Where it stands among all tasks of the pool, in the order in which they were accepted.
    pub(super) number: u64,
    /// Whether its turn has come, so that it goes before all others whatever their priorities.
    pub(super) is_due: bool,
    function: Address,
    /// The argument, or the records of a batch.
    body: Bytes,
    /// Whether the body was given away, and no worker can be sent it again.
    is_spent: bool,
    /// In a box, for it is seldom there, and jobs are moved often.
    batch: Option<Box<Batch>>,
    /// Which attempt is the next, or under way; from 1 on.
    pub(crate) attempt: u32,
    /// What speaks against it, of the workers that have died when this was what they would have run next.
    strikes: u32,
    pub(crate) time_limit: Option<Duration>,
}

/// A task that three workers did not live to start that had begun to read it is to blame: its arguments are more than
/// their memory holds, most likely. Without this it would go from one to the next for ever.
const MOST_STRIKES: u32 = 3 * HARD;
const HARD: u32 = 400;

/// Of a worker that was dead already when it was given the task, which may happen for a while where many are killed at
/// once.
const SOFT: u32 = 1;

struct Batch {
    /// How many items have no outcome yet.
    open: usize,
    /// How many items of the body have an outcome: the next attempt begins behind them.
    done: usize,
    /// The records of the outcomes so far.
    reply: Vec<u8>,
}

/// What becomes of a task whose worker has ended under it.
pub(crate) enum AfterDeath {
    Complete(Completion),
    /// It, or what is left of it, is to be run again.
    Retry(Job),
}

impl Job {
    /// Writes a task down.
    ///
    /// # Errors
    ///
    /// Where its arguments cannot be written down, or its function cannot be found by another process.
    pub(crate) fn new(task: Task, default_limit: Option<Duration>) -> Result<Job, Error> {
        let (body, encoded) = Bytes::written(|body| task.encode(body))?;
        let function = Address::of(encoded.entry)?;
        let batch = encoded.batch.map(|open| Box::new(Batch { open, done: 0, reply: Vec::new() }));
        let time_limit = task.time_limit().or(default_limit);
        Ok(Job {
            task,
            number: 0,
            is_due: false,
            function,
            body,
            is_spent: false,
            batch,
            attempt: 1,
            strikes: 0,
            time_limit,
        })
    }

    /// Its priority among the tasks that wait.
    pub(super) fn rank(&self) -> i32 {
        if self.is_due { i32::MAX } else { self.task.priority() }
    }

    /// What follows the head of the request. It does not change while a worker has the job.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Forgets what is done with, before a worker gets what is left.
    pub(crate) fn trim(&mut self) {
        if let Some(batch) = &mut self.batch
            && batch.done > 0
        {
            let mut items = batch::records(&self.body);
            items.by_ref().take(batch.done).for_each(drop);
            let left = items.rest().len();
            self.body.skip(self.body.len() - left);
            batch.done = 0;
        }
    }

    /// A job of which only the task is left.
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
            batch: None,
            attempt: 1,
            strikes: 0,
            time_limit: None,
        }
    }

    /// The task, and what was to be sent.
    pub(crate) fn into_body(self) -> (Task, Bytes) {
        (self.task, self.body)
    }

    /// What was to be sent, of a task that was cancelled.
    pub(super) fn take_body(&mut self) -> Bytes {
        std::mem::take(&mut self.body)
    }

    /// Gives away the memory of the body, of a task that has started and will not be run again, for a reply of this
    /// length.
    pub(super) fn spend(&mut self, length: u64) -> Option<Vec<u8>> {
        let fits = self.body.capacity() as u64 / 2 <= length && self.body.capacity() as u64 >= length / 2;
        if self.batch.is_some() || self.attempt <= self.task.retries() || !fits {
            return None;
        }
        self.is_spent = true;
        Some(std::mem::take(&mut self.body).into_vec())
    }

    /// Whether its body was given away: it has started, whatever its worker says.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// The head of the request that asks a worker to run it. The name goes right behind, and then the body.
    pub(crate) fn head(&self, sequence: u64, name: &str) -> Request {
        Request {
            kind: if self.time_limit.is_some() { RequestKind::RunTimed } else { RequestKind::Run },
            batch: self.batch.as_ref().map_or(0, |batch| u32::try_from(batch.open).unwrap_or(u32::MAX)),
            sequence,
            task: self.task.id().as_u64(),
            function: self.function,
            attempt: self.attempt,
            name: name.len() as u32,
            body: self.body.len() as u64,
        }
    }

    /// Whether it is many calls that travel together.
    pub(crate) fn is_batch(&self) -> bool {
        self.batch.is_some()
    }

    /// How many items have an outcome that this attempt has brought.
    pub(crate) fn received(&self) -> u64 {
        self.batch.as_ref().map_or(0, |batch| batch.done as u64)
    }

    /// How many have none.
    pub(crate) fn open(&self) -> u64 {
        self.batch.as_ref().map_or(1, |batch| batch.open as u64)
    }

    /// Takes the outcome that the worker has sent, or, for a batch, the records of the next outcomes, `most` of them.
    /// Some: it was the last.
    pub(crate) fn outcome(&mut self, outcome: Cow<'_, [u8]>, most: u64) -> Option<Bytes> {
        let Some(batch) = &mut self.batch else {
            return Some(match outcome {
                Cow::Borrowed(bytes) => Bytes::from(bytes),
                Cow::Owned(bytes) => Bytes::from(bytes),
            });
        };
        let mut records = batch::records(&outcome);
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(batch.open);
        let count = records.by_ref().take(most).count();
        batch.reply.extend_from_slice(&outcome[..outcome.len() - records.rest().len()]);
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

    /// The outcome of a task, or of the next item of a batch, that this side has written.
    fn fails(&mut self, error: &Error) -> Option<Bytes> {
        let mut bytes = Vec::new();
        match self.batch {
            None => outcome::write_error(error, &mut bytes),
            Some(_) => batch::write_record(&mut bytes, |bytes| outcome::write_error(error, bytes)),
        }
        self.outcome(bytes.into(), u64::MAX)
    }

    /// What becomes of it when its worker ended before it started, and nothing else ran there. `begun` says that the
    /// worker had begun to read it.
    pub(crate) fn after_death_before_start(mut self, begun: bool, error: Error) -> AfterDeath {
        self.strikes += if begun { HARD } else { SOFT };
        if self.strikes < MOST_STRIKES { AfterDeath::Retry(self) } else { self.after_death_while_running(error, false) }
    }

    /// What is told of it if nobody goes on with it, for this reason, or because it was cancelled. Items of a batch
    /// that were done before keep their outcomes.
    pub(crate) fn abandon(mut self, reason: Option<&Error>) -> Completion {
        let has_outcomes = self.batch.as_ref().is_some_and(|batch| !batch.reply.is_empty());
        match (has_outcomes, reason) {
            (false, None) => Completion::Cancel(self.task),
            (false, Some(reason)) => Completion::Error(self.task, reason.clone()),
            (true, reason) => {
                let error = reason.cloned().unwrap_or_else(|| {
                    Error::new(ErrorKind::Cancelled, "the executor was closed before this item of a map was run")
                });
                loop {
                    if let Some(reply) = self.fails(&error) {
                        return Completion::Reply(self.task, reply);
                    }
                }
            }
        }
    }

    /// What becomes of it when its worker ended while it ran: with `error`, or, where that is allowed, from the start.
    pub(crate) fn after_death_while_running(mut self, error: Error, may_retry: bool) -> AfterDeath {
        if may_retry && self.attempt <= self.task.retries() {
            self.attempt += 1;
            return AfterDeath::Retry(self);
        }
        if self.batch.is_none() {
            return AfterDeath::Complete(Completion::Error(self.task, error));
        }
        match self.fails(&error) {
            Some(reply) => AfterDeath::Complete(Completion::Reply(self.task, reply)),
            None => {
                self.attempt = 1;
                AfterDeath::Retry(self)
            }
        }
    }
}
