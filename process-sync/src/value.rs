//! A value in shared memory.

use std::{
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytemuck::{Pod, bytes_of, bytes_of_mut};
use executor_core::Error;

use crate::{
    monitor::{Entered, Monitor},
    object::{Kind, Object, STATE, fingerprint, impl_handle},
    thread,
};

static KIND: Kind = Kind {
    name: "value",
    file: c"concurrent-futures-value",
    length: 4096,
    is_mapped_whole: true,
    on_death: |object| Monitor::<[u64; 0]>::at(MONITOR).on_death(&object.memory, &object.member),
};

/// The thread that runs an update, which only the holder of the monitor writes. It is the second sign that a process
/// holds the monitor.
const UPDATER: usize = STATE;
const MONITOR: usize = STATE + 64;

/// A number, or another plain value, that threads and processes read and change.
///
/// It is never seen half written, even if a process dies while it writes: then the value is as it was before.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::Value;
/// let total = Value::new(0_u64)?;
/// total.set(40);
/// let doubled = total.update(|total| {
///     *total += 2;
///     *total * 2
/// });
/// assert_eq!((total.get(), doubled), (42, 84));
/// # Ok::<(), concurrent_futures::Error>(())
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
        let object = &*self.object;
        if !object.member.is_here() {
            return change(&mut self.get());
        }
        let updater: &Updater = object.local(Updater::default);
        assert!(
            updater.thread.load(Relaxed) != thread::current(&object.member),
            "a function that updates a value must not change it another time"
        );
        let (mut entered, _updating) = self.enter(object, updater);
        let mut value = T::zeroed();
        entered.read_further(bytes_of_mut(&mut value));
        let result = change(&mut value);
        if entered.is_held() {
            entered.commit_with(bytes_of(&value));
        } else {
            // Another process has overwritten the lock, and others may have changed the value meanwhile.
            entered.give_up();
        }
        result
    }

    fn enter<'a>(&self, object: &'a Object, updater: &'a Updater) -> (Entered<'a, [u64; 0]>, Updating<'a>) {
        let word = object.memory.word(UPDATER);
        let is_real = |holder: u32| match holder == object.member.number() {
            // What this process knows of itself, nobody can overwrite.
            true => updater.thread.load(Relaxed) != 0,
            false => (word.load(Relaxed) >> 32) as u32 == holder,
        };
        loop {
            let entered = Self::PLACE.enter_doubting(&object.memory, &object.member, &is_real);
            let updating = Updating::begin(word, updater, thread::current(&object.member));
            // If this thread was stopped for long before it had a sign, another may have taken over.
            if entered.is_held() {
                return (entered, updating);
            }
            entered.give_up();
        }
    }
}

/// The thread of this process that runs an update.
#[derive(Debug, Default)]
struct Updater {
    thread: AtomicU64,
}

/// The sign that a thread runs an update, until it is dropped. Only the holder of the monitor has one.
struct Updating<'a> {
    word: &'a AtomicU64,
    updater: &'a Updater,
}

impl<'a> Updating<'a> {
    fn begin(word: &'a AtomicU64, updater: &'a Updater, thread: u64) -> Updating<'a> {
        word.store(thread, Relaxed);
        // ORDERING: only this thread compares this with its own number, and removes it before it leaves.
        updater.thread.store(thread, Relaxed);
        Updating { word, updater }
    }
}

impl Drop for Updating<'_> {
    fn drop(&mut self) {
        self.updater.thread.store(0, Relaxed);
        self.word.store(0, Relaxed);
    }
}

impl_handle!(Value<T: Pod>, &KIND, fingerprint::<T>());

impl<T: Pod + fmt::Debug> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.get()).finish()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const LOCK: usize = MONITOR;

    #[test]
    fn a_lock_that_names_this_process_by_a_wild_write_is_taken_over() {
        let value = Value::new(7_u64).expect("a value");
        let me = value.object.member.number();
        value.object.memory.half_word(LOCK).store(me, Relaxed);
        // A sign in the memory is not believed either.
        value.object.memory.word(UPDATER).store(u64::from(me) << 32 | 99, Relaxed);
        assert_eq!(value.get(), 7);
        value.set(8);
        assert_eq!(value.update(|value| *value + 1), 9);
        assert_eq!(value.object.memory.half_word(LOCK).load(Relaxed), 0);
    }

    #[test]
    fn a_lock_that_is_overwritten_in_an_update_does_not_let_two_changes_mix() {
        let value = Value::new(7_u64).expect("a value");
        let other = value.object.member.number() + 1_000_000;
        value.update(|changed| {
            *changed = 8;
            value.object.memory.half_word(LOCK).store(other, Relaxed);
        });
        assert_eq!(value.get(), 7, "it was not committed without the lock");
        value.set(9);
        assert_eq!(value.get(), 9);
    }

    #[test]
    fn an_update_that_takes_long_keeps_the_lock() {
        let value = Value::new(0_u64).expect("a value");
        let (started, ends) = (crate::Event::new().expect("an event"), crate::Event::new().expect("an event"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                value.update(|value| {
                    started.set();
                    ends.wait(None);
                    *value += 1;
                });
            });
            started.wait(None);
            let waits = scope.spawn(|| value.update(|value| *value += 10));
            // Longer than the doubt of this test.
            assert!(!ends.wait(std::time::Duration::from_secs(3)) && !waits.is_finished());
            ends.set();
        });
        assert_eq!(value.get(), 11);
    }
}
