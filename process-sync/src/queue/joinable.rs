//! A queue whose producers wait until all items are finished.

use std::{fmt, ops::Deref, time::Duration};

use executor_core::{Error, ErrorKind, Payload, deadline};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Queue, channel::Channel};
use crate::{errors, object::fingerprint};

/// A [`Queue`] that knows which items are finished: a consumer calls [`task_done`](JoinableQueue::task_done) after each
/// item that it has gotten, and [`join`](JoinableQueue::join) waits until that was done for all.
///
/// Items that a process had taken and not finished when it died are lost, and `join` says how many.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::JoinableQueue;
/// let queue = JoinableQueue::<u64>::unbounded()?;
/// queue.put(1)?;
/// queue.put(2)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         while let Some(_) = queue.try_get()? {
///             queue.task_done()?;
///         }
///         Ok::<(), concurrent_futures::Error>(())
///     });
///     queue.join(None)
/// })?;
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct JoinableQueue<T> {
    queue: Queue<T>,
}

impl<T: Payload> JoinableQueue<T> {
    /// Makes a queue without a bound on the number of items; see [`Queue::unbounded`].
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn unbounded() -> Result<JoinableQueue<T>, Error> {
        Ok(JoinableQueue::with(Queue::<T>::builder().channel(true)?))
    }

    /// Makes a queue that holds so many items.
    ///
    /// # Errors
    ///
    /// As [`Queue::bounded`].
    pub fn bounded(items: usize) -> Result<JoinableQueue<T>, Error> {
        Ok(JoinableQueue::with(Queue::<T>::builder().bounded(items).channel(true)?))
    }
}

impl<T> JoinableQueue<T> {
    fn with(channel: Channel) -> JoinableQueue<T> {
        JoinableQueue { queue: Queue::with(channel) }
    }

    /// Says that an item that was taken is finished.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](ErrorKind::InvalidState) if all items that were gotten are finished already, and as
    /// [`Queue::get`].
    pub fn task_done(&self) -> Result<(), Error> {
        if self.queue.channel.finish()? {
            return Ok(());
        }
        Err(errors::invalid_state("`task_done` was called more often than an item was gotten"))
    }

    /// Waits until all items that were put are finished.
    ///
    /// # Errors
    ///
    /// - [`Abandoned`](ErrorKind::Abandoned) if items are lost with processes that died. This is said once, and then
    ///   the count begins anew.
    /// - [`Timeout`](ErrorKind::Timeout).
    /// - [`Broken`](ErrorKind::Broken) in a forked child, or if a process has overwritten the memory of the queue.
    pub fn join(&self, timeout: impl Into<Option<Duration>>) -> Result<(), Error> {
        match self.queue.channel.join(deadline::after(timeout.into()))? {
            Some(0) => Ok(()),
            Some(lost) => Err(abandoned(lost)),
            None => Err(errors::timed_out(self.queue.channel.object.name(), "the end of all work")),
        }
    }
}

#[cold]
fn abandoned(lost: u64) -> Error {
    let items = if lost == 1 { "1 item is".to_string() } else { format!("{lost} items are") };
    Error::new(
        ErrorKind::Abandoned,
        format!("{items} lost: processes died that had taken and not finished them; all others are finished"),
    )
}

impl<T> Deref for JoinableQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Queue<T> {
        &self.queue
    }
}

impl<T> Clone for JoinableQueue<T> {
    /// Returns another handle of the same queue.
    fn clone(&self) -> JoinableQueue<T> {
        JoinableQueue { queue: self.queue.clone() }
    }
}

impl<T> Serialize for JoinableQueue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.queue.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for JoinableQueue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JoinableQueue<T>, D::Error> {
        Channel::deserialize(deserializer, true, fingerprint::<T>()).map(JoinableQueue::with)
    }
}

impl<T> fmt::Debug for JoinableQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinableQueue").field("len", &self.len()).finish_non_exhaustive()
    }
}
