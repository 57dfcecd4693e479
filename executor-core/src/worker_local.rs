//! Values that each worker has for itself.

use std::{
    any::Any,
    cell::RefCell,
    fmt,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::catch;

/// One value for each worker: a database connection, a model, an interpreter.
///
/// A worker thread of a thread pool has its own value, and so has each worker process of a process pool. The value is
/// made when a task of the worker first uses it, or [`set`](WorkerLocal::set) by the initializer, and is dropped when
/// the worker ends. Later tasks of the same worker find it as the earlier ones have left it. With an
/// [`InlineExecutor`](crate::InlineExecutor) the calling thread is the worker.
///
/// The value stays on the thread that runs the worker's tasks, so it need be neither `Send` nor `Sync`. A thread that a
/// task starts has a value of its own. A worker that is killed, or in which a task calls `exit`, does not drop its
/// values. Python's counterpart is a global variable that the initializer sets, or `threading.local`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::collections::HashMap;
/// use concurrent_futures::{Executor, InlineExecutor, WorkerLocal};
///
/// static LENGTHS: WorkerLocal<HashMap<String, usize>> = WorkerLocal::new(HashMap::new);
///
/// fn length(word: String) -> usize {
///     LENGTHS.with_mut(|lengths| *lengths.entry(word).or_insert_with_key(|word| word.len()))
/// }
/// let executor = InlineExecutor::new();
/// assert_eq!(executor.submit(length, "four".to_string())?.result(None)?, 4);
/// assert!(LENGTHS.with(|lengths| lengths.contains_key("four")));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct WorkerLocal<T: 'static> {
    make: fn() -> T,
    /// The key of the values, or 0 until one is used.
    key: AtomicU64,
}

/// The value of one thread.
struct Slot<T>(RefCell<Option<T>>);

thread_local! {
    /// The values of this thread in the order in which they were first used, each with its key.
    static SLOTS: Slots = const { Slots(RefCell::new(Vec::new())) };
}

struct Slots(RefCell<Vec<(u64, Rc<dyn Any>)>>);

impl<T: 'static> WorkerLocal<T> {
    /// Makes the name of a value, which `make` makes in each worker that uses it before it is set.
    pub const fn new(make: fn() -> T) -> WorkerLocal<T> {
        WorkerLocal { make, key: AtomicU64::new(0) }
    }

    /// Calls `read` with this worker's value.
    ///
    /// # Panics
    ///
    /// Panics if code further up on this thread's stack is in [`with_mut`](WorkerLocal::with_mut) of the same value. A
    /// task that waits for another inside `with_mut` may run that task on its own thread.
    pub fn with<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        let slot = self.slot();
        self.fill(&slot);
        let value = slot.0.try_borrow().unwrap_or_else(|_| in_use());
        match &*value {
            Some(value) => read(value),
            None => in_use(),
        }
    }

    /// Calls `change` with this worker's value.
    ///
    /// # Panics
    ///
    /// Panics if code further up on this thread's stack is in [`with`](WorkerLocal::with) or `with_mut` of the same
    /// value.
    pub fn with_mut<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let slot = self.slot();
        self.fill(&slot);
        let mut value = slot.0.try_borrow_mut().unwrap_or_else(|_| in_use());
        match &mut *value {
            Some(value) => change(value),
            None => in_use(),
        }
    }

    /// Sets this worker's value, and drops the one that it had. An initializer does this where the value needs an
    /// argument.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::WorkerLocal;
    ///
    /// static GREETING: WorkerLocal<String> = WorkerLocal::new(|| panic!("the initializer has not run"));
    ///
    /// /// Pass this to `initializer` of a pool.
    /// fn initialize(greeting: String) {
    ///     GREETING.set(greeting);
    /// }
    /// initialize("hello".to_string());
    /// assert_eq!(GREETING.with(|greeting| greeting.len()), 5);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics as [`with_mut`](WorkerLocal::with_mut) does.
    pub fn set(&self, value: T) {
        let slot = self.slot();
        let before = slot.0.try_borrow_mut().unwrap_or_else(|_| in_use()).replace(value);
        drop(before);
    }

    /// Takes this worker's value, if it has one. The next use makes another.
    ///
    /// # Panics
    ///
    /// Panics as [`with_mut`](WorkerLocal::with_mut) does.
    pub fn take(&self) -> Option<T> {
        let slot = self.slot();
        slot.0.try_borrow_mut().unwrap_or_else(|_| in_use()).take()
    }

    /// Makes the value if there is none. `make` runs while nothing is borrowed, so it may use other values.
    fn fill(&self, slot: &Slot<T>) {
        let is_empty = slot.0.try_borrow().is_ok_and(|value| value.is_none());
        if is_empty {
            let value = (self.make)();
            let before = slot.0.try_borrow_mut().unwrap_or_else(|_| in_use()).replace(value);
            drop(before);
        }
    }

    fn slot(&self) -> Rc<Slot<T>> {
        let key = self.key();
        let found = SLOTS.try_with(|slots| {
            let mut slots = slots.0.borrow_mut();
            match slots.iter().find(|(other, _)| *other == key) {
                Some((_, slot)) => slot.clone(),
                None => {
                    let slot: Rc<dyn Any> = Rc::new(Slot::<T>(RefCell::new(None)));
                    slots.push((key, slot.clone()));
                    slot
                }
            }
        });
        // In a thread whose values are gone, each use has a value for itself.
        let slot = found.unwrap_or_else(|_| Rc::new(Slot::<T>(RefCell::new(None))));
        slot.downcast().unwrap_or_else(|_| unreachable!("no other `WorkerLocal` has this key"))
    }

    fn key(&self) -> u64 {
        static KEYS: AtomicU64 = AtomicU64::new(1);
        // ORDERING: the key stands for itself.
        match self.key.load(Relaxed) {
            0 => {
                let fresh = KEYS.fetch_add(1, Relaxed);
                self.key.compare_exchange(0, fresh, Relaxed, Relaxed).map_or_else(|first| first, |_| fresh)
            }
            key => key,
        }
    }
}

impl<T: 'static> fmt::Debug for WorkerLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerLocal")
    }
}

/// Drops the values of the calling thread, the last one first. Panics of their `Drop` are reported and contained.
///
/// A back-end whose worker ends without the end of its thread calls this. Elsewhere the end of the thread does it.
pub fn drop_worker_locals() {
    let _ = SLOTS.try_with(Slots::clear);
}

impl Slots {
    fn clear(&self) {
        /// The `Drop` of a value may use others, and so make them again.
        const ROUNDS: usize = 8;
        for _ in 0..ROUNDS {
            let mut slots = self.0.take();
            if slots.is_empty() {
                return;
            }
            while let Some(slot) = slots.pop() {
                catch::contain(|| drop(slot));
            }
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cold]
fn in_use() -> ! {
    panic!(
        "this `WorkerLocal` is in use further up on the stack of this thread: do not use it, or wait for tasks that use \
         it, inside `with_mut`"
    )
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::AtomicUsize,
    };

    use super::*;

    #[test]
    fn each_thread_makes_its_value_at_the_first_use() {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        static VALUE: WorkerLocal<Vec<u32>> = WorkerLocal::new(|| vec![MADE.fetch_add(1, Relaxed) as u32]);
        let use_it = || {
            VALUE.with_mut(|value| value.push(7));
            VALUE.with(|value| (value.len(), value[0]))
        };
        std::thread::spawn(move || {
            assert_eq!((use_it(), use_it()), ((2, 0), (3, 0)));
            assert_eq!(std::thread::spawn(use_it).join().expect("no panic"), (2, 1));
            assert_eq!(VALUE.take(), Some(vec![0, 7, 7]));
            assert_eq!(VALUE.take(), None);
            assert_eq!(use_it(), (2, 2));
            VALUE.set(vec![9]);
            assert_eq!(VALUE.with(Vec::len), 1);
        })
        .join()
        .expect("no panic");
    }

    #[test]
    fn two_values_of_one_type_are_apart() {
        static ONE: WorkerLocal<u8> = WorkerLocal::new(|| 1);
        static OTHER: WorkerLocal<u8> = WorkerLocal::new(|| 2 + ONE.with(|one| *one));
        assert_eq!((ONE.with(|n| *n), OTHER.with(|n| *n)), (1, 3));
        let local = WorkerLocal::new(|| 5_u8);
        assert_eq!(local.with(|n| *n), 5);
    }

    #[test]
    fn a_use_inside_of_another_is_a_panic_that_says_so() {
        static VALUE: WorkerLocal<u8> = WorkerLocal::new(|| 1);
        let inside = |code: fn()| {
            let panic = VALUE.with_mut(|_| catch_unwind(code)).expect_err("it is in use");
            panic.downcast_ref::<&str>().is_some_and(|text| text.contains("is in use"))
        };
        assert!(inside(|| VALUE.with(|_| ())));
        assert!(inside(|| VALUE.with_mut(|_| ())));
        assert!(inside(|| VALUE.set(2)));
        assert!(inside(|| {
            let _ = VALUE.take();
        }));
        assert_eq!(VALUE.with(|outer| VALUE.with(|inner| *outer + *inner)), 2, "reading twice is allowed");
    }

    #[test]
    fn a_value_that_cannot_be_made_is_tried_again() {
        static TRIES: AtomicUsize = AtomicUsize::new(0);
        static VALUE: WorkerLocal<u8> =
            WorkerLocal::new(|| if TRIES.fetch_add(1, Relaxed) == 0 { panic!("not yet") } else { 3 });
        assert!(catch_unwind(|| VALUE.with(|_| ())).is_err());
        assert_eq!(VALUE.with(|value| *value), 3);
    }

    #[test]
    fn values_are_dropped_at_the_end_of_the_worker_whatever_their_drop_does() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Counts(bool);
        impl Drop for Counts {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Relaxed);
                if self.0 {
                    FIRST.with(|_| ());
                    panic!("contained");
                }
            }
        }
        static FIRST: WorkerLocal<Counts> = WorkerLocal::new(|| Counts(false));
        static SECOND: WorkerLocal<Counts> = WorkerLocal::new(|| Counts(true));
        std::thread::spawn(|| {
            FIRST.with(|_| ());
            SECOND.with(|_| ());
            drop_worker_locals();
            // The panicking one has made the first again.
            assert_eq!(DROPPED.load(Relaxed), 3);
            assert!(catch_unwind(AssertUnwindSafe(|| FIRST.with(|_| ()))).is_ok());
        })
        .join()
        .expect("the panic was contained");
        assert_eq!(DROPPED.load(Relaxed), 4, "the end of the thread drops the rest");
    }
}
