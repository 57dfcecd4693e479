//! What a client wants done.

use std::time::Duration;

use executor_core::{TaskId, codec::Bytes};

use crate::wire::{Peer, ToAgent};

/// What must be done after an event.
#[derive(Debug)]
pub enum Action<T, B> {
    /// Put a copy of the task into the engine's queue, and call [`Client::stored`](super::Client::stored) when the
    /// engine has confirmed it.
    Publish {
        /// The number of the task.
        task: TaskId,
        /// The encoded task, as [`Client::submit`](super::Client::submit) received it.
        body: B,
    },
    /// Send a record to an agent. It may be lost, late or repeated.
    Send {
        /// The agent.
        to: Peer,
        /// The record.
        record: ToAgent,
    },
    /// Complete the task with an outcome.
    Complete {
        /// The task.
        work: T,
        /// The bytes of the outcome.
        outcome: Bytes,
    },
    /// Fail the task: its agent is gone, and it must not run again.
    Lose {
        /// The task.
        work: T,
        /// Where it was lost.
        loss: Loss,
    },
    /// Cancel the task, which is queued.
    Cancel(T),
    /// Drop the task, which is done. That may run user code.
    Discard(T),
    /// Ask the engine how many messages of this client its queue has, and call
    /// [`Client::counted`](super::Client::counted) with the answer.
    Count(u64),
}

/// Where a task was lost, for its error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The agent that had it.
    pub agent: Peer,
    /// How many times it was started.
    pub attempts: u32,
    /// For how long the agent had not answered. `None` if it had waited for this client for too long, and dropped the
    /// outcome.
    pub silence: Option<Duration>,
}
