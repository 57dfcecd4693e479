//! Locks, queues, pipes and shared memory for threads and processes.

#[cfg(not(loom))]
mod array;
#[cfg(not(loom))]
mod barrier;
#[cfg(not(loom))]
mod condition;
#[cfg(not(loom))]
mod errors;
#[cfg(not(loom))]
mod event;
#[cfg(all(test, target_os = "linux", not(loom)))]
mod faults;
#[cfg(not(loom))]
mod ledger;
mod lock;
#[cfg(not(loom))]
mod memory;
#[cfg(loom)]
mod modelled;
mod monitor;
#[cfg(not(loom))]
mod object;
#[cfg(all(target_os = "linux", not(loom)))]
mod pipe;
#[cfg(not(loom))]
mod place;
#[cfg(not(loom))]
mod queue;
#[cfg(not(loom))]
mod roster;
#[cfg(not(loom))]
mod semaphore;
mod sleep;
mod sync;
#[cfg(not(loom))]
mod sys;
#[cfg(not(loom))]
mod thread;
#[cfg(not(loom))]
mod value;
#[cfg(not(loom))]
mod waiting;

pub use bytemuck::Pod;

#[cfg(not(loom))]
pub use array::{Array, ArrayGuard};
#[cfg(not(loom))]
pub use barrier::Barrier;
#[cfg(not(loom))]
pub use condition::Condition;
#[cfg(not(loom))]
pub use event::Event;
#[cfg(not(loom))]
pub use lock::{Guard, Lock, RGuard, RLock, ReadGuard, RwLock, WriteGuard};
#[cfg(all(target_os = "linux", not(loom)))]
pub use pipe::{Access, Connection, Listener, Receiver, Sender, pipe, pipe_simplex, wait};
#[cfg(not(loom))]
pub use queue::{JoinableQueue, Queue, QueueBuilder, SimpleQueue};
#[cfg(not(loom))]
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};
#[cfg(not(loom))]
pub use value::Value;
