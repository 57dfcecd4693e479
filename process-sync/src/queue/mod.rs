//! Queues of values between threads and processes.
//!
//! README.md in this folder describes the bytes.

mod channel;
mod item;
mod joinable;
pub(crate) mod lane;
mod ring;
mod spinning;
mod state;

use std::{borrow::Borrow, cell::Cell, fmt, marker::PhantomData, time::Duration};

use executor_core::{
    Error, Payload,
    codec::{
        self,
        handles::{Collector, Handles},
    },
    deadline,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::joinable::JoinableQueue;
use self::{
    channel::{Channel, Received, Wait},
    item::Message,
    state::Bounds,
};
use crate::{errors, object::fingerprint};

/// How many bytes a queue holds at most, unless its maker says otherwise.
const MOST_BYTES: usize = 256 << 20;

/// A queue of values between threads and processes: first in, first out, any number of producers and consumers.
///
/// A value is encoded by `put` and decoded by `get`. It can hold handles of other objects, such as a queue for the
/// reply. `put` has put the value when it returns: no thread sends it later, and the process may end immediately.
///
/// A process that dies loses at most the item that it was putting or had just taken. No other process loses an item,
/// gets half of one, or gets one twice, and no process waits for a dead one.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::Queue;
/// let queue = Queue::bounded(3)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         for word in ["one", "two", "three", "four"] {
///             queue.put(word.to_string())?;
///         }
///         queue.close()
///     });
///     assert_eq!(queue.iter().collect::<Vec<String>>(), ["one", "two", "three", "four"]);
/// });
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct Queue<T> {
    channel: Channel,
    value: PhantomData<fn(T) -> T>,
}

/// The same as [`Queue`], which lacks nothing that a simple queue has.
pub type SimpleQueue<T> = Queue<T>;

impl<T: Payload> Queue<T> {
    /// Makes a queue without a bound on the number of items. Its memory grows with what is in it, up to 256 MiB; see
    /// [`builder`](Queue::builder).
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn unbounded() -> Result<Queue<T>, Error> {
        Queue::<T>::builder().build()
    }

    /// Makes a queue that holds so many items.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) for no items, and if the system refuses memory or
    /// descriptors.
    pub fn bounded(items: usize) -> Result<Queue<T>, Error> {
        Queue::<T>::builder().bounded(items).build()
    }

    /// Returns the options of a queue.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
    /// use concurrent_futures::multiprocessing::Queue;
    /// let queue = Queue::<String>::builder().bounded(10).max_bytes(1 << 30).build()?;
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn builder() -> QueueBuilder<T> {
        QueueBuilder { items: None, bytes: MOST_BYTES, value: PhantomData }
    }

    /// Puts a value, and waits for room.
    ///
    /// # Errors
    ///
    /// - [`Encode`](executor_core::ErrorKind::Encode) if the value cannot be encoded. The queue is as before.
    /// - [`Closed`](executor_core::ErrorKind::Closed) after [`close`](Queue::close).
    /// - [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) if the value is larger than the queue ever
    ///   holds.
    /// - [`Broken`](executor_core::ErrorKind::Broken) in a forked child, or if a process has overwritten the memory of
    ///   the queue.
    /// - [`Other`](executor_core::ErrorKind::Other) if the value holds handles, none are in this queue, and the user of
    ///   this process has more descriptors under way than its limit (`ulimit -n`). It waits a
    ///   second for that to change.
    pub fn put(&self, value: impl Borrow<T>) -> Result<(), Error> {
        self.put_waiting(value.borrow(), Wait::Until(None)).map(|_| ())
    }

    /// Puts a value as [`put`](Queue::put) does, but does not wait longer than this.
    ///
    /// # Errors
    ///
    /// As [`put`](Queue::put), and [`Timeout`](executor_core::ErrorKind::Timeout).
    pub fn put_timeout(&self, value: impl Borrow<T>, timeout: Duration) -> Result<(), Error> {
        let is_put = self.put_waiting(value.borrow(), Wait::Until(deadline::after(Some(timeout))))?;
        if is_put { Ok(()) } else { Err(errors::timed_out(self.channel.object.name(), "room")) }
    }

    /// Puts a value if there is room. Returns `false` if the queue is full. It never waits.
    ///
    /// # Errors
    ///
    /// As [`put`](Queue::put).
    pub fn try_put(&self, value: impl Borrow<T>) -> Result<bool, Error> {
        self.put_waiting(value.borrow(), Wait::Not)
    }

    /// Gets the next value, and waits for one.
    ///
    /// # Errors
    ///
    /// - [`Timeout`](executor_core::ErrorKind::Timeout).
    /// - [`Closed`](executor_core::ErrorKind::Closed) after [`close`](Queue::close), when no value is left.
    /// - [`Decode`](executor_core::ErrorKind::Decode) if the value cannot be decoded. It is gone, and the next is
    ///   there.
    /// - [`Broken`](executor_core::ErrorKind::Broken) in a forked child, or if a process has overwritten the memory of
    ///   the queue.
    pub fn get(&self, timeout: impl Into<Option<Duration>>) -> Result<T, Error> {
        let value = self.get_waiting(Wait::Until(deadline::after(timeout.into())))?;
        value.ok_or_else(|| errors::timed_out(self.channel.object.name(), "an item"))
    }

    /// Gets the next value if there is one.
    ///
    /// # Errors
    ///
    /// As [`get`](Queue::get).
    pub fn try_get(&self) -> Result<Option<T>, Error> {
        self.get_waiting(Wait::Not)
    }

    /// Iterates over the values, and waits for each, until the queue is closed and empty, or a value is an error. Use
    /// [`get`](Queue::get) to see the error.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        std::iter::from_fn(|| self.get(None).ok())
    }

    fn put_waiting(&self, value: &T, wait: Wait) -> Result<bool, Error> {
        if let Some(bytes) = codec::as_encoded(value) {
            return self.channel.put(&Message { bytes, handles: &Handles::NONE }, wait);
        }
        let mut buffer = Buffer::take();
        let collector = Collector::open();
        let encoded = codec::encode(value, &mut buffer.0);
        let handles = collector.close();
        encoded?;
        self.channel.put(&Message { bytes: &buffer.0, handles: &handles }, wait)
    }

    fn get_waiting(&self, wait: Wait) -> Result<Option<T>, Error> {
        let mut buffer = Buffer::take();
        let mut received = Received::into(&mut buffer.0);
        if !self.channel.get(wait, &mut received)? {
            return Ok(None);
        }
        let value = match received.start {
            0 => codec::decode_taking(received.bytes),
            start => codec::decode(&received.bytes[start..]),
        };
        // The value has its own handles now.
        drop(received.handles);
        value.map(Some)
    }
}

impl<T> Queue<T> {
    fn with(channel: Channel) -> Queue<T> {
        Queue { channel, value: PhantomData }
    }

    /// Opens the queue as another process does.
    #[cfg(fuzzing)]
    pub(crate) fn reopened(&self) -> Option<Queue<T>> {
        self.channel.reopened().map(Queue::with)
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn object(&self) -> &crate::object::Object {
        &self.channel.object
    }

    /// Closes the queue: from now on `put` fails, and `get` after the last value. Those who wait are woken.
    ///
    /// # Errors
    ///
    /// [`Broken`](executor_core::ErrorKind::Broken) in a forked child, or if a process has overwritten the memory of
    /// the queue.
    pub fn close(&self) -> Result<(), Error> {
        self.channel.close()
    }

    /// Returns how many values are in the queue.
    pub fn len(&self) -> usize {
        usize::try_from(self.channel.fill().items).unwrap_or(usize::MAX)
    }

    /// Returns `true` if no value is in the queue.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `true` if there is no room for another value: the bound is reached, or the memory is used up.
    pub fn is_full(&self) -> bool {
        /// No item takes less.
        const LEAST: u64 = 8;
        let (fill, bounds) = (self.channel.fill(), self.channel.bounds());
        fill.items >= bounds.items || fill.bytes.saturating_add(LEAST) > bounds.bytes
    }
}

/// The options of a [`Queue`].
#[derive(Clone, Debug)]
#[must_use]
pub struct QueueBuilder<T> {
    items: Option<usize>,
    bytes: usize,
    value: PhantomData<fn(T) -> T>,
}

impl<T: Payload> QueueBuilder<T> {
    /// Holds at most so many items.
    pub fn bounded(mut self, items: usize) -> QueueBuilder<T> {
        self.items = Some(items);
        self
    }

    /// Takes at most so many bytes of memory for items, 256 MiB by default. A queue with so many is full. An item takes
    /// at least eight bytes more than its encoded value.
    pub fn max_bytes(mut self, bytes: usize) -> QueueBuilder<T> {
        self.bytes = bytes;
        self
    }

    /// Makes the queue.
    ///
    /// # Errors
    ///
    /// As [`Queue::bounded`].
    pub fn build(self) -> Result<Queue<T>, Error> {
        self.channel(false).map(Queue::with)
    }

    fn channel(self, is_joinable: bool) -> Result<Channel, Error> {
        if self.items == Some(0) || self.bytes == 0 {
            return Err(errors::invalid_argument("a queue needs room for at least one item"));
        }
        let bounds = Bounds { items: self.items.map_or(u64::MAX, |items| items as u64), bytes: self.bytes as u64 };
        Channel::new(is_joinable, fingerprint::<T>(), bounds)
    }
}

/// An empty buffer at first. The thread keeps it for the next item.
struct Buffer(Vec<u8>);

thread_local! {
    // Code of a value may use another queue meanwhile, which finds an empty one.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Buffer {
    #[inline]
    fn take() -> Buffer {
        // A thread that is ending has none.
        let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
        buffer.clear();
        Buffer(buffer)
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        /// A buffer that was larger once is not kept.
        const KEPT: usize = 1 << 20;
        if self.0.capacity() <= KEPT {
            let buffer = std::mem::take(&mut self.0);
            let _ = BUFFER.try_with(|kept| kept.set(buffer));
        }
    }
}

impl<T> Clone for Queue<T> {
    /// Returns another handle of the same queue.
    fn clone(&self) -> Queue<T> {
        Queue::with(self.channel.clone())
    }
}

impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.channel.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Queue<T>, D::Error> {
        Channel::deserialize(deserializer, false, fingerprint::<T>()).map(Queue::with)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}
