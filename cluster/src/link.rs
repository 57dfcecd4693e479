//! What a transport does for the two sides.

use std::{sync::Arc, time::Duration};

use executor_core::{Error, ErrorKind, TaskId, codec::Bytes};

use crate::{
    value::Value,
    wire::{LONGEST_MESSAGE, Peer, Reference},
};

/// A function that a transport calls once, when it has something or has given up. It runs no user code, and does not
/// block.
pub type Then<T> = Box<dyn FnOnce(Result<T, Error>) + Send>;

/// A value larger than this, in bytes, goes through a store, if the transport has one.
pub const LARGE: usize = 512 << 10;

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

    /// Returns the largest argument and outcome that go through the store, in bytes. It is 0 if there is no store.
    fn largest_value(&self) -> u64 {
        0
    }

    /// Puts a task into the engine's queue as [`publish`](ClientLink::publish) does, after its argument is in the
    /// store. If that fails, the transport calls [`ClientEvents::refused`](crate::ClientEvents::refused). The argument
    /// of many tasks is stored once. A transport without a store is never called.
    fn publish_with(&self, task: TaskId, body: Arc<Vec<u8>>, argument: Arc<Value>) {
        let _ = (task, body, argument);
    }

    /// Gets an outcome from the store and removes it there, or gives up when the engine has been away for too long.
    fn fetch(&self, outcome: Reference, then: Then<Bytes>) {
        let _ = outcome;
        then(Err(no_store()));
    }

    /// Removes an argument from the store that no open task has. If that fails, its age removes it.
    fn remove(&self, argument: &Reference) {
        let _ = argument;
    }

    /// Ends the connection. Nothing is sent after this.
    fn close(&self);
}

fn no_store() -> Error {
    Error::new(ErrorKind::Unavailable, "the transport of this cluster has no store for large values")
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

    /// Returns the largest outcome that goes through the store, in bytes. It is 0 if there is no store.
    fn largest_value(&self) -> u64 {
        0
    }

    /// Gets an argument from the store of the client's user. It returns `None` if it is not there.
    fn fetch(&self, client: &Peer, argument: Reference, then: Then<Option<Bytes>>) {
        let _ = (client, argument);
        then(Err(no_store()));
    }

    /// Puts an outcome into the store of the client's user, and tries again as long as that is possible. `run` is the
    /// number of the run, which no other outcome of this agent has.
    fn store(&self, client: &Peer, run: u64, outcome: Bytes, then: Then<Reference>) {
        let _ = (client, run, outcome);
        then(Err(no_store()));
    }

    /// Removes an outcome from the store that its client does not take, because it is gone. If that fails, its age
    /// removes it.
    fn remove(&self, client: &Peer, outcome: &Reference) {
        let _ = (client, outcome);
    }
}
