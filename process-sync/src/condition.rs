//! A condition: threads and processes that hold a lock wait until another one notifies them.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytemuck::{cast_slice, cast_slice_mut};
use executor_core::{Error, deadline};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    errors,
    lock::{Guard, Lock},
    monitor::{Entered, Monitor},
    object::{Kind, Object, STATE},
    waiting::Sleep,
};

static KIND: Kind =
    Kind { name: "condition", file: c"concurrent-futures-condition", length: 32768, is_mapped_whole: false, on_death };

/// How many threads can wait at the same time.
const MOST: usize = 500;
/// A waiter: its ticket, or 0 if the place is free, and its process and whether it was notified.
type Waiter = [u64; 2];
const NOTIFIED: u64 = 1 << 32;

/// The next ticket, and how many places were ever used.
type State = [u64; 2];
const NEXT_TICKET: usize = 0;
const USED: usize = 1;

const MONITOR: Monitor<State> = Monitor::with_further(STATE, MOST * size_of::<Waiter>());
/// The half words on which the waiters sleep, each on that of its place.
const WORDS: usize = MONITOR.end();

/// A condition of what a [`Lock`] protects.
///
/// A thread that holds the lock waits: it releases the lock, sleeps until it is notified, and takes the lock again.
/// Waiters are notified in the order in which they came. A notification that a process receives and dies with goes to
/// another waiter. Notifying never waits for a waiter, and needs no lock.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::{Condition, Lock, Value};
/// let lock = Lock::new()?;
/// let (changed, count) = (Condition::new(&lock)?, Value::new(0_u64)?);
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         let guard = lock.lock()?;
///         count.set(3);
///         changed.notify_all();
///         drop(guard);
///         Ok::<(), concurrent_futures::Error>(())
///     });
///     let guard = lock.lock()?;
///     let (guard, holds) = changed.wait_for(guard, None, || count.get() == 3)?;
///     assert!(holds);
///     drop(guard);
///     Ok::<(), concurrent_futures::Error>(())
/// })?;
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct Condition {
    lock: Lock,
    object: Arc<Object>,
}

impl Condition {
    /// Makes a condition of what this lock protects.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn new(lock: &Lock) -> Result<Condition, Error> {
        Ok(Condition { lock: lock.clone(), object: Object::create(&KIND, 0, |_| {})? })
    }

    /// Releases the lock, waits until this thread is notified, and takes the lock again. Returns `true` if it was
    /// notified, and not only out of time.
    ///
    /// # Errors
    ///
    /// - [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) if the guard is of another lock.
    /// - [`Abandoned`](executor_core::ErrorKind::Abandoned) if a process died with the lock meanwhile.
    /// - [`InvalidState`](executor_core::ErrorKind::InvalidState) if 500 threads wait already.
    /// - [`Broken`](executor_core::ErrorKind::Broken) in a forked child.
    ///
    /// After an error the lock is not held.
    pub fn wait<'a>(&self, guard: Guard<'a>, timeout: impl Into<Option<Duration>>) -> Result<(Guard<'a>, bool), Error> {
        self.wait_until(guard, deadline::after(timeout.into()))
    }

    /// Waits as [`wait`](Condition::wait) does, until the predicate holds or the time is over. Returns what the
    /// predicate returned last. The lock is held while it runs.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condition::wait).
    pub fn wait_for<'a>(
        &self,
        mut guard: Guard<'a>,
        timeout: impl Into<Option<Duration>>,
        mut predicate: impl FnMut() -> bool,
    ) -> Result<(Guard<'a>, bool), Error> {
        let deadline = deadline::after(timeout.into());
        loop {
            if predicate() {
                return Ok((guard, true));
            }
            let (again, notified) = self.wait_until(guard, deadline)?;
            if !notified {
                let holds = predicate();
                return Ok((again, holds));
            }
            guard = again;
        }
    }

    /// Notifies the thread that has waited longest.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Notifies all threads that wait.
    pub fn notify_all(&self) {
        self.notify(MOST);
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    fn wait_until<'a>(&self, guard: Guard<'a>, deadline: Option<Instant>) -> Result<(Guard<'a>, bool), Error> {
        self.object.check()?;
        if !Arc::ptr_eq(&guard.lock().object, &self.lock.object) {
            return Err(errors::invalid_argument("the guard is of another lock than the condition"));
        }
        let place = self.register()?;
        let (lock, held) = guard.keep();
        if held {
            lock.release();
        }
        let notified = self.sleep(place, deadline);
        Ok((lock.lock()?, notified))
    }

    /// Takes a place. Returns its index and the ticket.
    fn register(&self) -> Result<(usize, u64), Error> {
        let mut waiters = Waiters::open(&self.object);
        let free = waiters.list.iter().position(|[ticket, _]| *ticket == 0);
        let index = match free {
            Some(index) => index,
            None if waiters.list.len() < MOST => {
                waiters.list.push([0; 2]);
                waiters.list.len() - 1
            }
            None => return Err(errors::invalid_state(format!("{MOST} threads wait for the condition already"))),
        };
        let ticket = waiters.entered.state[NEXT_TICKET].wrapping_add(1).max(1);
        waiters.entered.state[NEXT_TICKET] = ticket;
        waiters.list[index] = [ticket, u64::from(self.object.member.number())];
        self.object.memory.half_word(word(index)).store(0, Relaxed);
        waiters.commit();
        Ok((index, ticket))
    }

    /// Sleeps until the place is notified or the time is over, and frees it. Returns `true` if it was notified.
    fn sleep(&self, (index, ticket): (usize, u64), deadline: Option<Instant>) -> bool {
        let mut sleep = Sleep::ForChange;
        loop {
            let time = sleep.next(deadline);
            if let Some(time) = time {
                self.object.memory.sleep_on(word(index), 0, time);
            }
            let mut waiters = Waiters::open(&self.object);
            // What dead processes were told is for those that live.
            let woken = waiters.pass_on(&self.object);
            let mine = waiters.list.get(index).filter(|[found, _]| *found == ticket).map(|[_, notes]| notes & NOTIFIED);
            // A place that is another's by now was overwritten, and a wait for it would never end.
            let notified = mine != Some(0);
            if notified || time.is_none() {
                if mine.is_some() {
                    waiters.list[index] = [0; 2];
                }
                waiters.commit();
            } else if !woken.is_empty() {
                waiters.commit();
            }
            drop(waiters);
            self.wake(&woken);
            if notified || time.is_none() {
                return notified;
            }
        }
    }

    fn notify(&self, count: usize) {
        if !self.object.member.is_here() {
            return;
        }
        let mut waiters = Waiters::open(&self.object);
        let mut woken = waiters.pass_on(&self.object);
        woken.extend((0..count).map_while(|_| waiters.notify_oldest(&self.object)));
        if woken.is_empty() {
            return;
        }
        waiters.commit();
        drop(waiters);
        self.wake(&woken);
    }

    fn wake(&self, places: &[usize]) {
        for index in places {
            self.object.memory.wake(word(*index), 1);
        }
    }
}

/// Wakes all that wait, so that what dead processes were told reaches them.
fn on_death(object: &Object) {
    MONITOR.on_death(&object.memory, &object.member);
    // The lock is not taken, for which this thread might wait, so this is only about how many places are used.
    let used = MONITOR.look_without_lock(&object.memory).map_or(MOST, |state| state[USED].min(MOST as u64) as usize);
    for index in 0..used {
        object.memory.wake(word(index), u32::MAX);
    }
}

/// The offset of the half word of a place.
const fn word(index: usize) -> usize {
    WORDS + index * 4
}

/// The possession of the list of waiters.
struct Waiters<'a> {
    entered: Entered<'a, State>,
    list: Vec<Waiter>,
}

impl Waiters<'_> {
    fn open(object: &Object) -> Waiters<'_> {
        let entered = MONITOR.enter(&object.memory, &object.member);
        // A wild write may claim more.
        let used = usize::try_from(entered.state[USED]).unwrap_or(MOST).min(MOST);
        let mut list = vec![[0; 2]; used];
        entered.read_further(cast_slice_mut(&mut list));
        Waiters { entered, list }
    }

    fn commit(&mut self) {
        while self.list.last().is_some_and(|[ticket, _]| *ticket == 0) {
            self.list.pop();
        }
        self.entered.state[USED] = self.list.len() as u64;
        self.entered.commit_with(cast_slice(&self.list));
    }

    /// Notifies the living thread that has waited longest, and removes dead ones that waited longer. Returns its place.
    fn notify_oldest(&mut self, object: &Object) -> Option<usize> {
        loop {
            let waiting =
                self.list.iter().enumerate().filter(|(_, [ticket, notes])| *ticket != 0 && notes & NOTIFIED == 0);
            let (index, _) = waiting.min_by_key(|(_, [ticket, _])| *ticket)?;
            if is_alive(object, self.list[index]) {
                self.list[index][1] |= NOTIFIED;
                // The waiter does not fall asleep any more.
                object.memory.half_word(word(index)).store(1, Relaxed);
                return Some(index);
            }
            self.list[index] = [0; 2];
        }
    }

    /// Removes notified threads whose processes have died, and notifies others instead. Returns their places.
    fn pass_on(&mut self, object: &Object) -> Vec<usize> {
        let mut lost = 0;
        for waiter in &mut self.list {
            if waiter[0] != 0 && waiter[1] & NOTIFIED != 0 && !is_alive(object, *waiter) {
                *waiter = [0; 2];
                lost += 1;
            }
        }
        (0..lost).map_while(|_| self.notify_oldest(object)).collect()
    }
}

fn is_alive(object: &Object, [_, notes]: Waiter) -> bool {
    object.member.is_alive(notes as u32)
}

impl Clone for Condition {
    /// Returns another handle of the same condition.
    fn clone(&self) -> Condition {
        Condition { lock: self.lock.clone(), object: self.object.clone() }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.lock, &*self.object).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Condition, D::Error> {
        /// The object by itself, for the tuple.
        struct Own(Arc<Object>);
        impl<'de> Deserialize<'de> for Own {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Own, D::Error> {
                Object::deserialize(deserializer, &KIND, 0).map(Own)
            }
        }
        let (lock, Own(object)) = Deserialize::deserialize(deserializer)?;
        Ok(Condition { lock, object })
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").field("lock", &self.lock).finish_non_exhaustive()
    }
}
