//! What a client sends.

use std::sync::Arc;

use executor_core::TaskId;
use tokio::sync::oneshot;

use crate::{value::Value, wire::Peer};

/// What a client sends.
pub(super) enum Out {
    Publish(TaskId, Arc<Vec<u8>>),
    Send(Peer, Vec<u8>),
    Count(u64),
    /// A task whose argument must be stored first.
    PublishWith(TaskId, Arc<Vec<u8>>, Arc<Value>),
    /// An argument that no task has any more.
    RemoveArgument(String),
    /// An outcome that was fetched.
    RemoveOutcome(String),
    /// The last one: the client has nothing left in the queue, except copies that no one needs.
    End(oneshot::Sender<()>),
}
