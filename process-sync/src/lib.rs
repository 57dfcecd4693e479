//! Queues, pipes, locks and shared memory for the threads and processes of
//! [`concurrent-futures`](https://docs.rs/concurrent-futures): what Python's `multiprocessing` gives its users, typed,
//! and without an end when a process is killed.
//!
//! ```
//! # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
//! use concurrent_futures::multiprocessing::{Event, Lock, Queue, Value};
//!
//! // Each is a handle: clone it, move it to threads, pass it to tasks and processes, put it into a queue.
//! let (words, total, done) = (Queue::<String>::bounded(10)?, Value::new(0_usize)?, Event::new()?);
//! std::thread::scope(|scope| {
//!     scope.spawn(|| {
//!         for word in words.iter() {
//!             total.update(|total| *total += word.len());
//!         }
//!         done.set();
//!     });
//!     for word in ["queue", "of", "words"] {
//!         words.put(word.to_string())?;
//!     }
//!     words.close()
//! })?;
//! assert!(done.wait(None));
//! assert_eq!(total.get(), 12);
//! # Ok::<(), concurrent_futures::Error>(())
//! ```
//!
//! # What to take for what
//!
//! | to | take |
//! |---|---|
//! | hand out work, collect results, stream | [`Queue`]; [`JoinableQueue`] if someone waits for the end of all work |
//! | talk to one partner | [`pipe`], [`pipe_simplex`]; [`wait`] for many |
//! | talk to a process that another program started | [`Listener`], [`Connection::connect`] |
//! | protect a file, or anything outside | [`Lock`], [`RLock`], [`RwLock`] |
//! | limit how many do something at the same time | [`Semaphore`], [`BoundedSemaphore`] |
//! | wait until something is so | [`Event`]; [`Condition`] with a lock; [`Barrier`] for a fixed number of parties |
//! | share a number | [`Value`] |
//! | share many numbers that change | [`Array`] |
//! | give many tasks the same large data | [`Shared`]; [`SharedSlice`] for numbers |
//! | have many tasks fill one large array, a part each | [`SharedMut`] |
//!
//! # When a process dies
//!
//! A process may be killed at any instant. The kernel tells the others, and no process waits for a dead one.
//!
//! | it dies | then |
//! |---|---|
//! | while it puts into a [`Queue`] | the item is in the queue, or it is not |
//! | after it took an item | the item is lost; [`JoinableQueue::join`] says how many are |
//! | with a [`Lock`], an [`RLock`], as the writer of an [`RwLock`], with the guard of an [`Array`] | `lock` returns [`Abandoned`] to everyone until someone calls `recover` |
//! | as a reader, with a [`Permit`] | its place or permit comes back |
//! | in [`Value::update`] | the value is as before |
//! | with a [`SharedChunk`] | the chunk is back, as the process left it |
//! | at a [`Barrier`] | the barrier is broken for the others |
//! | while it waits | nothing |
//! | with one end of a pipe | the other end receives what was sent, and then [`Closed`] |
//!
//! A lock is taken over within about 100 ms, and within a few if the dead process was a worker of this one. A wake-up
//! that dies with its receiver delays others by at most a second.
//!
//! # Where objects can go
//!
//! An object is memory of this machine. Its handle is a descriptor, which travels with values to threads, tasks,
//! processes, and through queues and pipes. Nothing has a name in the file system, and the memory is gone with the last
//! handle, whichever process dies. Serialized to anything else, a handle is an error.
//!
//! Between processes, objects work on Linux. On other systems they work between the threads of a process. An object
//! that would leave the process is the error [`Unsupported`] there, and so is making a pipe or a listener.
//!
//! An object that was used in a forked child returns [`Broken`] there: pass objects to processes that are started, as
//! all processes of this library are.
//!
//! # Trust
//!
//! A process that has a handle can write anything into the memory of the object. The others check what they read: they
//! may get errors or wrong values of this object, and never touch memory outside of it. Do not share objects with
//! processes that must not be able to stop each other.
//!
//! [`Abandoned`]: executor_core::ErrorKind::Abandoned
//! [`Broken`]: executor_core::ErrorKind::Broken
//! [`Closed`]: executor_core::ErrorKind::Closed
//! [`Unsupported`]: executor_core::ErrorKind::Unsupported
// The model checker runs only what its models use.
#![cfg_attr(loom, allow(dead_code, rustdoc::broken_intra_doc_links))]

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
#[cfg(all(fuzzing, target_os = "linux"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(all(test, target_os = "linux", not(loom)))]
mod hostile;
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
#[cfg(all(unix, not(loom)))]
mod pipe;
mod place;
#[cfg(not(loom))]
mod queue;
#[cfg(not(loom))]
mod roster;
#[cfg(not(loom))]
mod semaphore;
#[cfg(not(loom))]
mod shared;
mod sleep;
mod sync;
#[cfg(not(loom))]
mod sys;
#[cfg(not(loom))]
mod thread;
#[cfg(not(loom))]
mod under_way;
#[cfg(not(loom))]
mod value;
#[cfg(not(loom))]
mod waiting;

// Messages.
#[cfg(all(unix, not(loom)))]
pub use pipe::{Access, Connection, Listener, Receiver, Sender, pipe, pipe_simplex, wait};
#[cfg(not(loom))]
pub use queue::{JoinableQueue, Queue, QueueBuilder, SimpleQueue};

// Locks, and waiting for others.
#[cfg(not(loom))]
pub use barrier::Barrier;
#[cfg(not(loom))]
pub use condition::Condition;
#[cfg(not(loom))]
pub use event::Event;
#[cfg(not(loom))]
pub use lock::{Guard, Lock, RGuard, RLock, ReadGuard, RwLock, WriteGuard};
#[cfg(not(loom))]
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};

// Memory.
#[cfg(not(loom))]
pub use array::{Array, ArrayGuard};
/// The values that a [`Value`] and an [`Array`] hold: every pattern of bits is one. Numbers and arrays of numbers are.
pub use bytemuck::Pod;
#[cfg(not(loom))]
pub use shared::{Ref, Shared, SharedChunk, SharedMut, SharedSlice};
#[cfg(not(loom))]
pub use value::Value;
