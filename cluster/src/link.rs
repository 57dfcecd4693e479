//! What a transport does for the two sides.

use std::{sync::Arc, time::Duration};

use executor_core::TaskId;

use crate::wire::{LONGEST_MESSAGE, Peer};

/// What a [`ClusterExecutor`](crate::ClusterExecutor) sends through the engine.
///
/// No method may block or call the executor, because the caller may be any thread. Anything may be lost: the executor
/// repeats it. While there is no connection, dropping everything is right.
pub trait ClientLink: Send + Sync + 'static {
    /// Puts a task into the engine's queue, for agents of this build. When the engine has confirmed that, the transport
    /// calls [`ClientEvents::stored`](crate::ClientEvents::stored), and [`refused`](crate::ClientEvents::refused) if it
    /// has not stored it.
    fn publish(&self, task: TaskId, body: Arc<Vec<u8>>);

    /// Sends a frame to an agent.
    fn send(&self, to: &Peer, frame: Vec<u8>);

    /// Asks the engine how many messages of this client its queue has. The transport passes the answer to
    /// [`ClientEvents::counted`](crate::ClientEvents::counted).
    fn count(&self, number: u64);

    /// Returns the longest message that the engine accepts, in bytes. A longer task is refused when it is submitted.
    fn longest_message(&self) -> usize {
        LONGEST_MESSAGE
    }

    /// Ends the connection. Nothing is sent after this.
    fn close(&self);
}

/// What an [`AgentService`](crate::AgentService) sends through the engine. The rules are those of [`ClientLink`].
pub trait AgentLink: Send + Sync + 'static {
    /// Names a message that was delivered, for the engine.
    type Delivery: Send + 'static;

    /// Asks the engine for this many messages.
    fn pull(&self, messages: usize);

    /// Acknowledges a message, which the engine then forgets.
    fn acknowledge(&self, delivery: Self::Delivery);

    /// Gives a message back, which the engine delivers again after the time.
    fn give_back(&self, delivery: Self::Delivery, delay: Duration);

    /// Sends a frame to a client. If the engine says that no one listens, the transport calls
    /// [`AgentService::unreachable`](crate::AgentService::unreachable).
    fn send(&self, to: &Peer, frame: Vec<u8>);

    /// Returns the longest message that the engine accepts, in bytes. A longer outcome becomes an error.
    fn longest_message(&self) -> usize {
        LONGEST_MESSAGE
    }
}
