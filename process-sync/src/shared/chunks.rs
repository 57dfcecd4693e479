//! A slice whose chunks have one owner each.
#![allow(unsafe_code)]

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut, Range},
    slice,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytemuck::{Pod, cast_slice};
use executor_core::{Error, codec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ownership::{self, Layout, Local, MOST_CHUNKS, NO_TICKET, Owned};
use crate::{
    errors,
    memory::SharedMemory,
    object::{Kind, Object, Parts, fingerprint, impl_handle},
    sys::{self, File},
};

static KIND: Kind = Kind {
    name: "shared slice of chunks",
    file: c"concurrent-futures-chunks",
    length: Layout::LEAST,
    is_mapped_whole: true,
    on_death: ownership::on_death,
};

/// Numbers, or other plain values, that tasks change in place, each task its own chunk.
///
/// [`split`](SharedMut::split) gives out all elements as [chunks](SharedChunk). A chunk has one owner: sending it to a
/// task or a process moves it there, without copying the elements. When all chunks are dropped,
/// [`read`](SharedMut::read) gives access to the whole.
///
/// Python's counterpart is a `SharedMemory`, or an `Array` without a lock, where it is up to the program that no two
/// processes write to the same element.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::{Executor, InlineExecutor, multiprocessing::{SharedChunk, SharedMut}};
///
/// let squares = SharedMut::<u64>::new(1000)?;
/// let executor = InlineExecutor::new();
/// let fill = |mut chunk: SharedChunk<u64>| {
///     let first = chunk.offset() as u64;
///     (first..).zip(chunk.iter_mut()).for_each(|(n, square)| *square = n * n);
/// };
/// executor.map(fill, squares.split(4)?)?.collect::<Result<(), _>>()?;
/// assert_eq!(squares.read()?[999], 998_001);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// The chunk of a process that dies, or of a task that never runs, is back without anyone doing anything. What a
/// process that died had written to it is there.
pub struct SharedMut<T: Pod> {
    object: Arc<Object>,
    element: PhantomData<fn() -> T>,
}

impl_handle!(SharedMut<T: Pod>, &KIND, fingerprint::<T>());

impl<T: Pod> SharedMut<T> {
    /// Makes so many zeros.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) if that is more than can be addressed, and if the
    /// system refuses memory or descriptors.
    pub fn new(count: usize) -> Result<SharedMut<T>, Error> {
        SharedMut::filled(count, |_| {})
    }

    /// Makes a copy of these elements.
    ///
    /// # Errors
    ///
    /// As [`new`](SharedMut::new).
    pub fn from(elements: &[T]) -> Result<SharedMut<T>, Error> {
        SharedMut::filled(elements.len(), |object| {
            object.memory.copy_in(Local::of(object, size_of::<T>()).layout.elements, cast_slice(elements));
        })
    }

    fn filled(count: usize, fill: impl FnOnce(&Object)) -> Result<SharedMut<T>, Error> {
        const { assert!(align_of::<T>() <= Layout::ALIGNMENT, "a page is aligned for it") };
        let layout = Layout::of(count, size_of::<T>());
        let layout = layout.ok_or_else(|| errors::invalid_argument("a slice of this length cannot be addressed"))?;
        let object = Object::create_of_length(&KIND, fingerprint::<T>(), layout.length, |object| {
            layout.write_to(object);
            fill(object);
        })?;
        Ok(SharedMut::with(object))
    }

    /// Opens it as another process does.
    #[cfg(fuzzing)]
    pub(crate) fn reopened(&self) -> Option<SharedMut<T>> {
        self.object.reopened().ok().map(SharedMut::with)
    }

    fn with(object: Arc<Object>) -> SharedMut<T> {
        SharedMut { object, element: PhantomData }
    }

    fn local(&self) -> &Local {
        Local::of(&self.object, size_of::<T>())
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.local().layout.count
    }

    /// Returns `true` if there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives out all elements in so many chunks, whose lengths differ by one at most. If there are fewer elements,
    /// there is a chunk for each.
    ///
    /// # Errors
    ///
    /// - [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) for no chunks, and for more than a million.
    /// - [`InvalidState`](executor_core::ErrorKind::InvalidState) while chunks are out, or while something reads.
    /// - [`Broken`](executor_core::ErrorKind::Broken) in a forked child.
    pub fn split(&self, chunks: usize) -> Result<Vec<SharedChunk<T>>, Error> {
        self.object.check()?;
        let chunks_out = chunks.min(self.len());
        if chunks == 0 || chunks_out > MOST_CHUNKS {
            let message = format!("a slice is split into 1 to {MOST_CHUNKS} chunks, and not into {chunks}");
            return Err(errors::invalid_argument(message));
        }
        let (owned, memory) = self.local().split(&self.object, chunks_out)?;
        let chunk = |owned| SharedChunk::new(self.object.clone(), owned, NO_TICKET, memory.clone());
        Ok(owned.into_iter().map(chunk).collect())
    }

    /// Returns all elements, for reading. Until this is dropped, they cannot be split.
    ///
    /// # Errors
    ///
    /// - [`InvalidState`](executor_core::ErrorKind::InvalidState) while chunks are out: wait until the tasks that have
    ///   them have ended.
    /// - [`Broken`](executor_core::ErrorKind::Broken) in a forked child.
    pub fn read(&self) -> Result<Ref<'_, [T]>, Error> {
        self.object.check()?;
        self.local().begin_reading(&self.object)?;
        let reading = Reading { object: &self.object, local: self.local() };
        let start = self.local().layout.address(&self.object.memory, &(0..self.len()));
        // SAFETY: the elements lie in the mapping, which lives as long as `self`, and are aligned. Every pattern of
        // bits is a value. No thread has a chunk at these addresses while this process reads. A process that writes
        // nevertheless has the memory by a wild pointer; what it changes are values, which are believed nowhere.
        let elements = unsafe { slice::from_raw_parts(start, self.len()) };
        Ok(Ref { elements, reading })
    }
}

impl<T: Pod> fmt::Debug for SharedMut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMut").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The elements of a [`SharedMut`], until this is dropped.
pub struct Ref<'a, S: ?Sized> {
    elements: &'a S,
    reading: Reading<'a>,
}

/// The right of this process to read, until it is dropped.
struct Reading<'a> {
    object: &'a Object,
    local: &'a Local,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.object.check().is_ok() {
            self.local.end_reading(self.object);
        }
    }
}

impl<S: ?Sized> Deref for Ref<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.elements
    }
}

impl<S: ?Sized + fmt::Debug> fmt::Debug for Ref<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = &self.reading;
        self.elements.fmt(f)
    }
}

/// A part of a [`SharedMut`], which has one owner. Dropping it gives it back.
///
/// Encoding it, by `put`, `send` or as the argument or result of a task of another process, moves it to the receiver.
/// The chunk that was encoded is *spent* then: it has no elements, and encoding it again is
/// [`InvalidState`](executor_core::ErrorKind::InvalidState). If the message is dropped before a process has received
/// it, such as that of a task that was cancelled, the chunk is back. A spent chunk has its elements again then, unless
/// they were given out otherwise meanwhile.
///
/// A task that runs again after its worker died has the chunk again.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::{Queue, SharedChunk, SharedMut};
///
/// let numbers = SharedMut::<u32>::new(6)?;
/// let chunks = Queue::<SharedChunk<u32>>::unbounded()?;
/// for chunk in numbers.split(3)? {
///     chunks.put(chunk)?;
/// }
/// let mut first = chunks.get(None)?;
/// first[1] = 7;
/// assert!(numbers.read().is_err(), "chunks are out");
/// drop((first, chunks));
/// assert_eq!(*numbers.read()?, [0, 7, 0, 0, 0, 0]);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct SharedChunk<T: Pod> {
    object: Arc<Object>,
    owned: Owned,
    /// The ticket of the message with which it was sent, or one of the values below.
    ticket: AtomicU64,
    /// The ticket of the message with which it came.
    came_with: u32,
    /// Another mapping than that of the object, if something may still borrow elements at the addresses there.
    memory: Option<Arc<SharedMemory>>,
    element: PhantomData<fn() -> T>,
}

/// This is the owner. No message has this ticket.
const HELD: u64 = NO_TICKET as u64;
/// This was decoded only for a comparison.
const TRIAL: u64 = u64::MAX;

/// What travels.
#[derive(Serialize, Deserialize)]
struct Message {
    object: Parts,
    slot: u32,
    ticket: u32,
    token: File,
}

impl<T: Pod> SharedChunk<T> {
    fn new(object: Arc<Object>, owned: Owned, came_with: u32, memory: Option<Arc<SharedMemory>>) -> SharedChunk<T> {
        SharedChunk { object, owned, ticket: AtomicU64::new(HELD), came_with, memory, element: PhantomData }
    }

    /// Returns the index of its first element in the [`SharedMut`].
    pub fn offset(&self) -> usize {
        self.owned.range.start
    }

    fn local(&self) -> &Local {
        Local::of(&self.object, size_of::<T>())
    }

    /// Returns the elements that this may access.
    fn range(&self) -> Range<usize> {
        let ticket = self.ticket.load(Relaxed);
        let is_here = self.object.check().is_ok();
        if is_here && (ticket == HELD || self.has_come_back(ticket)) { self.owned.range.clone() } else { 0..0 }
    }

    /// Becomes the owner again if its message is gone.
    #[cold]
    fn has_come_back(&self, ticket: u64) -> bool {
        let Ok(ticket) = u32::try_from(ticket) else { return false };
        self.local().take_back(&self.object, &self.owned, ticket, || self.ticket.store(HELD, Relaxed))
    }

    /// Returns the address of the first element that this may access, and how many there are.
    fn elements(&self) -> (*mut T, usize) {
        let memory = self.memory.as_deref().unwrap_or(&self.object.memory);
        let range = self.range();
        (self.local().layout.address(memory, &range), range.len())
    }

    /// Moves the chunk into a message.
    fn send(&self) -> Result<Message, Error> {
        let object = self.object.parts();
        let slot = self.owned.slot;
        if codec::is_trial() {
            // As long as the message with which it came, to which it is compared.
            return Ok(Message { object, slot, ticket: self.came_with, token: self.object.file().clone() });
        }
        self.object.check()?;
        sys::check_can_travel(self.object.file())?;
        let is_back = self.range().len() == self.owned.range.len();
        if !is_back {
            return Err(errors::invalid_state(
                "this chunk was sent before, and belongs to the receiver: a chunk has one owner",
            ));
        }
        let spent = |ticket: u32| {
            let spent = self.ticket.compare_exchange(HELD, ticket.into(), Relaxed, Relaxed);
            spent.is_ok()
        };
        let (ticket, token) = self.local().send(&self.object, &self.owned, spent)?;
        Ok(Message { object, slot, ticket, token })
    }

    fn receive(message: Message) -> Result<SharedChunk<T>, Error> {
        let Message { object, slot, ticket, token } = message;
        let object = Object::open(&KIND, fingerprint::<T>(), object)?;
        let local = Local::of(&object, size_of::<T>());
        if codec::is_trial() {
            let chunk = SharedChunk::new(object, Owned { slot, range: 0..0 }, ticket, None);
            chunk.ticket.store(TRIAL, Relaxed);
            return Ok(chunk);
        }
        object.check()?;
        let (owned, memory) = local.claim(&object, slot, ticket)?;
        // The message exists until the chunk has an owner.
        drop(token);
        Ok(SharedChunk::new(object, owned, ticket, memory))
    }
}

impl<T: Pod> Deref for SharedChunk<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let (start, count) = self.elements();
        // SAFETY: the elements lie in the mapping, which lives as long as `self`, and are aligned. Every pattern of
        // bits is a value. No other chunk has these elements at these addresses: this process keeps a list of what its
        // chunks have, and maps the memory again for elements that a spent chunk may still lend. Another process that
        // has the chunk, because this one was sent while it was borrowed, changes values, which are believed nowhere.
        unsafe { slice::from_raw_parts(start, count) }
    }
}

impl<T: Pod> DerefMut for SharedChunk<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let (start, count) = self.elements();
        // SAFETY: as in `deref`, and the chunk is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(start, count) }
    }
}

impl<T: Pod> Serialize for SharedChunk<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.send().map_err(|error| codec::ser_error(&error))?.serialize(serializer)
    }
}

impl<'de, T: Pod> Deserialize<'de> for SharedChunk<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SharedChunk<T>, D::Error> {
        SharedChunk::receive(Message::deserialize(deserializer)?).map_err(|error| codec::de_error(&error))
    }
}

impl<T: Pod> Drop for SharedChunk<T> {
    fn drop(&mut self) {
        let ticket = *self.ticket.get_mut();
        if ticket != TRIAL && self.object.check().is_ok() {
            self.local().give_back(&self.object, &self.owned, ticket == HELD);
        }
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for SharedChunk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedChunk").field("offset", &self.offset()).field("elements", &&**self).finish()
    }
}
