//! A value in shared memory.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use bytemuck::{Pod, bytes_of, bytes_of_mut};
use executor_core::Error;

use crate::{
    monitor::Monitor,
    object::{Kind, Object, STATE, fingerprint, impl_handle},
    thread,
};

static KIND: Kind = Kind { name: "value", file: c"concurrent-futures-value", length: 4096, is_mapped_whole: true };

/// The thread that runs an update, which only the holder of the monitor writes.
const UPDATER: usize = STATE;
const MONITOR: usize = STATE + 64;

/// A number, or another plain value, that threads and processes read and change.
///
/// It is never seen half written, even if a process dies while it writes: then the value is as it was before.
///
/// ```
/// let total = process_sync::Value::new(0_u64)?;
/// total.set(40);
/// let doubled = total.update(|total| {
///     *total += 2;
///     *total * 2
/// });
/// assert_eq!((total.get(), doubled), (42, 84));
/// # Ok::<(), executor_core::Error>(())
/// ```
///
/// In a forked child, it is read as it was, and changes have no effect.
pub struct Value<T: Pod> {
    object: Arc<Object>,
    value: PhantomData<fn() -> T>,
}

impl<T: Pod> Value<T> {
    const PLACE: Monitor<[u64; 0]> = Monitor::with_further(MONITOR, size_of::<T>());

    /// Makes a value.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn new(value: T) -> Result<Value<T>, Error> {
        let length = KIND.length.max(Self::PLACE.end());
        let object = Object::create_of_length(&KIND, fingerprint::<T>(), length, |object| {
            Self::PLACE.enter(&object.memory, &object.member).commit_with(bytes_of(&value));
        })?;
        Ok(Value::with(object))
    }

    fn with(object: Arc<Object>) -> Value<T> {
        Value { object, value: PhantomData }
    }

    /// Returns the value.
    pub fn get(&self) -> T {
        let mut value = T::zeroed();
        Self::PLACE.look_further(&self.object.memory, &self.object.member, bytes_of_mut(&mut value));
        value
    }

    /// Replaces the value.
    pub fn set(&self, value: T) {
        self.update(|old| *old = value);
    }

    /// Changes the value with a function, and returns what the function returns. Other changes wait. If the function
    /// panics, or its process dies, the value is unchanged.
    ///
    /// # Panics
    ///
    /// Panics if the function changes the same value again, and with the function.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        if !self.object.member.is_here() {
            return change(&mut self.get());
        }
        let updater = self.object.memory.word(UPDATER);
        let this_thread = thread::current(&self.object.member);
        // ORDERING: only this thread writes its own number, and removes it before it leaves.
        assert!(
            updater.load(Relaxed) != this_thread,
            "a function that updates a value must not change it another time"
        );
        let mut entered = Self::PLACE.enter(&self.object.memory, &self.object.member);
        let _updating = Updating::begin(updater, this_thread);
        let mut value = T::zeroed();
        entered.read_further(bytes_of_mut(&mut value));
        let result = change(&mut value);
        entered.commit_with(bytes_of(&value));
        result
    }
}

/// A thread that runs an update, until it is dropped.
struct Updating<'a>(&'a std::sync::atomic::AtomicU64);

impl<'a> Updating<'a> {
    fn begin(updater: &'a std::sync::atomic::AtomicU64, thread: u64) -> Updating<'a> {
        updater.store(thread, Relaxed);
        Updating(updater)
    }
}

impl Drop for Updating<'_> {
    fn drop(&mut self) {
        self.0.store(0, Relaxed);
    }
}

impl_handle!(Value<T: Pod>, &KIND, fingerprint::<T>());

impl<T: Pod + fmt::Debug> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.get()).finish()
    }
}
