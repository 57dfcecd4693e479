//! The records of a frame.

use std::time::Duration;

use executor_core::{TaskId, codec::Bytes};

use super::{Malformed, reader::Reader};

/// An agent's request to run one copy of a task. No two requests of an agent have the same number, so the agent and an
/// ask together name one possible run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ask {
    /// The task, by its number in its client.
    pub task: TaskId,
    /// The number of the request in its agent.
    pub number: u64,
}

/// A record from an agent to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToClient {
    /// May this copy of the task run? It is repeated until there is an answer.
    Ask(Ask),
    /// The outcome of a run that was granted. It is repeated until it is received.
    Outcome {
        /// What was granted.
        ask: Ask,
        /// Whether the process of the task died, so that the task may be run again.
        died: bool,
        /// The bytes of the outcome.
        outcome: Bytes,
    },
    /// The agent does not have what was granted.
    Returned(Ask, Returned),
    /// The answer to [`ToAgent::Ping`].
    Alive,
}

/// Why an agent does not have what was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It did not start it, and never will.
    NotStarted,
    /// It may have run it, and its outcome is gone.
    Lost,
}

/// A record from a client to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToAgent {
    /// This copy of the task must run. It is repeated with each ping while the client waits for the outcome.
    Grant {
        /// What is granted.
        ask: Ask,
        /// The number of the attempt, from 1 on.
        attempt: u32,
    },
    /// This copy of the task must not run.
    Deny(Ask),
    /// Is the agent there?
    Ping,
    /// The outcome has arrived, and the agent may forget it.
    Received(Ask),
    /// The run must stop: by force after the time, if there is one, and otherwise only if the task asks.
    Stop(Ask, Option<Duration>),
}

/// A record that a frame can carry.
pub trait Record: Sized + sealed::Sealed {
    /// Tells the frames of the two directions apart.
    #[doc(hidden)]
    const DIRECTION: u8;

    #[doc(hidden)]
    fn write(&self, into: &mut Vec<u8>);

    #[doc(hidden)]
    fn read(reader: &mut sealed::Fields<'_>) -> Result<Self, Malformed>;
}

pub(super) mod sealed {
    use super::{Reader, ToAgent, ToClient};

    pub trait Sealed {}
    impl Sealed for ToClient {}
    impl Sealed for ToAgent {}

    /// The fields that are not read yet.
    #[derive(Debug)]
    pub struct Fields<'a>(pub(in crate::wire) Reader<'a>);
}

impl Ask {
    fn write(self, tag: u8, into: &mut Vec<u8>) {
        into.push(tag);
        into.extend_from_slice(&self.task.as_u64().to_le_bytes());
        into.extend_from_slice(&self.number.to_le_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Ask, Malformed> {
        Ok(Ask { task: TaskId::from_u64(reader.u64()?), number: reader.u64()? })
    }
}

const ASK: u8 = 1;
const OUTCOME: u8 = 2;
const DIED: u8 = 3;
const NOT_STARTED: u8 = 4;
const LOST: u8 = 5;
const ALIVE: u8 = 6;

impl Record for ToClient {
    const DIRECTION: u8 = b'c';

    fn write(&self, into: &mut Vec<u8>) {
        match self {
            ToClient::Ask(ask) => ask.write(ASK, into),
            ToClient::Outcome { ask, died, outcome } => {
                ask.write(if *died { DIED } else { OUTCOME }, into);
                // The agent replaces an outcome that is too long for a message, and no message is 4 GiB long.
                into.extend_from_slice(&(outcome.len() as u32).to_le_bytes());
                into.extend_from_slice(outcome);
            }
            ToClient::Returned(ask, Returned::NotStarted) => ask.write(NOT_STARTED, into),
            ToClient::Returned(ask, Returned::Lost) => ask.write(LOST, into),
            ToClient::Alive => into.push(ALIVE),
        }
    }

    fn read(fields: &mut sealed::Fields<'_>) -> Result<ToClient, Malformed> {
        let reader = &mut fields.0;
        Ok(match reader.u8()? {
            ASK => ToClient::Ask(Ask::read(reader)?),
            tag @ (OUTCOME | DIED) => {
                let ask = Ask::read(reader)?;
                let length = reader.u32()? as usize;
                ToClient::Outcome { ask, died: tag == DIED, outcome: reader.bytes(length)?.into() }
            }
            NOT_STARTED => ToClient::Returned(Ask::read(reader)?, Returned::NotStarted),
            LOST => ToClient::Returned(Ask::read(reader)?, Returned::Lost),
            ALIVE => ToClient::Alive,
            tag => return Err(Malformed::Tag(tag)),
        })
    }
}

const GRANT: u8 = 1;
const DENY: u8 = 2;
const PING: u8 = 3;
const RECEIVED: u8 = 4;
const ASK_TO_STOP: u8 = 5;
const TERMINATE: u8 = 6;

impl Record for ToAgent {
    const DIRECTION: u8 = b'a';

    fn write(&self, into: &mut Vec<u8>) {
        match self {
            ToAgent::Grant { ask, attempt } => {
                ask.write(GRANT, into);
                into.extend_from_slice(&attempt.to_le_bytes());
            }
            ToAgent::Deny(ask) => ask.write(DENY, into),
            ToAgent::Ping => into.push(PING),
            ToAgent::Received(ask) => ask.write(RECEIVED, into),
            ToAgent::Stop(ask, None) => ask.write(ASK_TO_STOP, into),
            ToAgent::Stop(ask, Some(grace)) => {
                ask.write(TERMINATE, into);
                let milliseconds = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
                into.extend_from_slice(&milliseconds.to_le_bytes());
            }
        }
    }

    fn read(fields: &mut sealed::Fields<'_>) -> Result<ToAgent, Malformed> {
        let reader = &mut fields.0;
        Ok(match reader.u8()? {
            GRANT => {
                let (ask, attempt) = (Ask::read(reader)?, reader.u32()?);
                if attempt == 0 {
                    return Err(Malformed::Field("attempt"));
                }
                ToAgent::Grant { ask, attempt }
            }
            DENY => ToAgent::Deny(Ask::read(reader)?),
            PING => ToAgent::Ping,
            RECEIVED => ToAgent::Received(Ask::read(reader)?),
            ASK_TO_STOP => ToAgent::Stop(Ask::read(reader)?, None),
            TERMINATE => ToAgent::Stop(Ask::read(reader)?, Some(Duration::from_millis(reader.u64()?))),
            tag => return Err(Malformed::Tag(tag)),
        })
    }
}
