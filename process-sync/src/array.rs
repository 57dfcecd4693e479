//! An array in shared memory.
#![allow(unsafe_code)]

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    slice,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytemuck::{Pod, bytes_of, bytes_of_mut, cast_slice};
use executor_core::{Error, deadline};

use crate::{
    errors,
    lock::{owned::OwnedLock, word::OnDeath},
    object::{Kind, Object, STATE, fingerprint, impl_handle},
};

static KIND: Kind = Kind {
    name: "array",
    file: c"concurrent-futures-array",
    length: 4096,
    is_mapped_whole: true,
    on_death: |object| WORD.on_death(object),
};

const WORD: OwnedLock = OwnedLock::at(STATE);
/// The number of elements.
const COUNT: usize = STATE + 16;
/// The first element. It is aligned for every plain type but those that ask for more than a page.
const ELEMENTS: usize = 4096;

/// An array of numbers, or other plain values, that threads and processes read and change in place.
///
/// If a process dies while it holds the [guard](ArrayGuard), the array may be half changed, and is
/// [`Abandoned`](executor_core::ErrorKind::Abandoned) until [`recover`](Array::recover).
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::Array;
/// let grades: Array<u32> = Array::try_from([3, 1, 2].as_slice())?;
/// grades.lock()?.sort();
/// assert_eq!((grades.get(0)?, grades.len()), (1, 3));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct Array<T: Pod> {
    object: Arc<Object>,
    /// The number of elements, which are all in the mapping.
    count: usize,
    element: PhantomData<fn() -> T>,
}

impl<T: Pod> Array<T> {
    /// Makes an array of so many zeros.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) if that is more than can be addressed, and if the
    /// system refuses memory or descriptors.
    pub fn new(count: usize) -> Result<Array<T>, Error> {
        Array::filled(count, |_| {})
    }

    /// Makes an array of these elements.
    ///
    /// # Errors
    ///
    /// As [`new`](Array::new).
    pub fn from(elements: &[T]) -> Result<Array<T>, Error> {
        Array::filled(elements.len(), |object| object.memory.copy_in(ELEMENTS, cast_slice(elements)))
    }

    fn filled(count: usize, fill: impl FnOnce(&Object)) -> Result<Array<T>, Error> {
        const { assert!(align_of::<T>() <= ELEMENTS) };
        let bytes = count.checked_mul(size_of::<T>()).filter(|bytes| *bytes <= isize::MAX as usize - ELEMENTS);
        let bytes = bytes.ok_or_else(|| errors::invalid_argument("an array of this length cannot be addressed"))?;
        let object = Object::create_of_length(&KIND, fingerprint::<T>(), ELEMENTS + bytes, |object| {
            object.memory.word(COUNT).store(count as u64, Relaxed);
            fill(object);
        })?;
        Ok(Array::with(object))
    }

    /// Opens it as another process does.
    #[cfg(fuzzing)]
    pub(crate) fn reopened(&self) -> Option<Array<T>> {
        self.object.reopened().ok().map(Array::with)
    }

    fn with(object: Arc<Object>) -> Array<T> {
        // The count of the memory may be anything; the mapping has what it has.
        let mapped = (object.memory.length() - ELEMENTS.min(object.memory.length())).checked_div(size_of::<T>());
        let told = usize::try_from(object.memory.word(COUNT).load(Relaxed)).unwrap_or(0);
        Array { count: mapped.map_or(told, |mapped| told.min(mapped)), object, element: PhantomData }
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns `true` if there are no elements.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Waits for the lock of the array, and returns its elements.
    ///
    /// # Errors
    ///
    /// - [`Abandoned`](executor_core::ErrorKind::Abandoned) after a process died with the lock.
    /// - [`InvalidState`](executor_core::ErrorKind::InvalidState) if this thread holds the lock.
    /// - [`Broken`](executor_core::ErrorKind::Broken) in a forked child.
    pub fn lock(&self) -> Result<ArrayGuard<'_, T>, Error> {
        WORD.acquire(&self.object, OnDeath::Abandon, None)?;
        Ok(ArrayGuard::new(self))
    }

    /// Waits for the lock as [`lock`](Array::lock) does, but not longer than this.
    ///
    /// # Errors
    ///
    /// As [`lock`](Array::lock), and [`Timeout`](executor_core::ErrorKind::Timeout).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<ArrayGuard<'_, T>, Error> {
        WORD.acquire(&self.object, OnDeath::Abandon, deadline::after(Some(timeout)))?;
        Ok(ArrayGuard::new(self))
    }

    /// Returns the elements even if a process died with them, which may be half changed. Others can lock the array
    /// again after that.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](executor_core::ErrorKind::InvalidState) if this thread holds the lock, and
    /// [`Broken`](executor_core::ErrorKind::Broken) in a forked child.
    pub fn recover(&self) -> Result<ArrayGuard<'_, T>, Error> {
        WORD.acquire(&self.object, OnDeath::TakeOver, None)?;
        Ok(ArrayGuard::new(self))
    }

    /// Returns one element.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) out of range, and as [`lock`](Array::lock).
    pub fn get(&self, index: usize) -> Result<T, Error> {
        self.check_index(index)?;
        let guard = self.lock()?;
        let mut element = T::zeroed();
        self.object.memory.copy_out(self.offset_of(index), bytes_of_mut(&mut element));
        drop(guard);
        Ok(element)
    }

    /// Replaces one element.
    ///
    /// # Errors
    ///
    /// As [`get`](Array::get).
    pub fn set(&self, index: usize, element: T) -> Result<(), Error> {
        self.check_index(index)?;
        let guard = self.lock()?;
        self.object.memory.copy_in(self.offset_of(index), bytes_of(&element));
        drop(guard);
        Ok(())
    }

    fn check_index(&self, index: usize) -> Result<(), Error> {
        if index < self.count {
            return Ok(());
        }
        let message = format!("the index {index} is out of range: the array has {} elements", self.count);
        Err(errors::invalid_argument(message))
    }

    fn offset_of(&self, index: usize) -> usize {
        ELEMENTS + index * size_of::<T>()
    }
}

impl<T: Pod> TryFrom<&[T]> for Array<T> {
    type Error = Error;

    fn try_from(elements: &[T]) -> Result<Array<T>, Error> {
        Array::from(elements)
    }
}

impl_handle!(Array<T: Pod>, &KIND, fingerprint::<T>());

impl<T: Pod> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("len", &self.count).finish_non_exhaustive()
    }
}

/// The elements of an [`Array`], locked until this is dropped. It stays in its thread.
pub struct ArrayGuard<'a, T: Pod> {
    array: &'a Array<T>,
    not_send: PhantomData<*const ()>,
}

impl<'a, T: Pod> ArrayGuard<'a, T> {
    fn new(array: &'a Array<T>) -> ArrayGuard<'a, T> {
        ArrayGuard { array, not_send: PhantomData }
    }

    fn start(&self) -> *mut T {
        self.array.object.memory.at(ELEMENTS, self.array.count * size_of::<T>()).cast()
    }
}

impl<T: Pod> Deref for ArrayGuard<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the elements lie in the mapping, which lives as long as the array, and are aligned, because the
        // mapping begins at a page. Every pattern of bits is a value. The lock keeps every thread and process that uses
        // this type from writing meanwhile. A process that writes without the lock has the memory by a wild pointer;
        // what it changes are values, which are believed nowhere.
        unsafe { slice::from_raw_parts(self.start(), self.array.count) }
    }
}

impl<T: Pod> DerefMut for ArrayGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the guard is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start(), self.array.count) }
    }
}

impl<T: Pod> Drop for ArrayGuard<'_, T> {
    fn drop(&mut self) {
        WORD.release(&self.array.object);
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for ArrayGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
