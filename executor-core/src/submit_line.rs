//! Submitters that wait for room in a bounded queue.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Waker,
};

use parking_lot::{Condvar, MutexGuard};

use crate::{TaskId, catch};

/// The submitters that wait for room in a bounded queue, in the order of their arrival. Some are blocked threads, and
/// some are async tasks.
///
/// The lock of the back-end protects it. The back-end calls [`admit_next`](SubmitLine::admit_next) when there is room,
/// counts the task as if it were queued, and notifies the submitter after it has released the lock. A submitter that
/// does not continue keeps its room until it gives it up.
#[derive(Default)]
pub struct SubmitLine {
    turns: VecDeque<Turn>,
    /// The wakers of the async submitters in `turns`.
    wakers: HashMap<TaskId, Waker>,
}

enum Turn {
    Thread(Arc<BlockedThread>),
    Async(TaskId),
}

/// A thread that is blocked until there is room for its task.
#[derive(Debug)]
pub struct BlockedThread {
    task: TaskId,
    admitted: AtomicBool,
    /// Notified when `admitted` is set, or the line is dissolved.
    changed: Condvar,
}

impl BlockedThread {
    /// Sleeps until the thread is notified. The guard is that of the lock that protects the line.
    pub fn sleep<S>(&self, guard: &mut MutexGuard<'_, S>) {
        self.changed.wait(guard);
    }

    /// Returns whether there is room for the task. The caller holds the lock that protects the line.
    pub fn is_admitted(&self) -> bool {
        // ORDERING: the lock orders all accesses.
        self.admitted.load(Relaxed)
    }
}

/// A submitter for whose task there is room, or whose line was dissolved.
#[must_use = "the submitter must be notified"]
pub struct Admitted(Notify);

enum Notify {
    Thread(Arc<BlockedThread>),
    Waker(Waker),
}

impl Admitted {
    /// Notifies the submitter. This may run user code, so no lock may be held.
    pub fn notify(self) {
        match self.0 {
            Notify::Thread(thread) => drop(thread.changed.notify_one()),
            Notify::Waker(waker) => catch::contain(|| waker.wake()),
        }
    }

    /// Notifies the submitter if it is a thread. Returns it otherwise, because notifying it runs user code.
    pub fn notify_thread(self) -> Option<Admitted> {
        match self.0 {
            Notify::Thread(_) => {
                self.notify();
                None
            }
            Notify::Waker(_) => Some(self),
        }
    }
}

impl SubmitLine {
    /// Returns whether no submitter waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Adds the calling thread to the end of the line.
    pub fn join_blocked(&mut self, task: TaskId) -> Arc<BlockedThread> {
        let thread = BlockedThread { task, admitted: AtomicBool::new(false), changed: Condvar::new() };
        let thread = Arc::new(thread);
        self.turns.push_back(Turn::Thread(thread.clone()));
        thread
    }

    /// Adds an async submitter to the end of the line, or replaces its waker if it is in the line. Returns the former
    /// waker, which the caller drops after it has released the lock.
    pub fn join_async(&mut self, task: TaskId, waker: Waker) -> Option<Waker> {
        let former = self.wakers.insert(task, waker);
        if former.is_none() {
            self.turns.push_back(Turn::Async(task));
        }
        former
    }

    /// Removes an async submitter that does not wait any more. Returns its waker, which the caller drops after it has
    /// released the lock, or `None` if it was not in the line.
    pub fn leave(&mut self, task: TaskId) -> Option<Waker> {
        let waker = self.wakers.remove(&task)?;
        self.turns.retain(|turn| !matches!(turn, Turn::Async(other) if *other == task));
        Some(waker)
    }

    /// Takes the submitter that has waited longest out of the line, because there is room for its task, whose id this
    /// returns too.
    pub fn admit_next(&mut self) -> Option<(TaskId, Admitted)> {
        Some(match self.turns.pop_front()? {
            Turn::Thread(thread) => {
                // ORDERING: the lock orders all accesses.
                thread.admitted.store(true, Relaxed);
                (thread.task, Admitted(Notify::Thread(thread)))
            }
            Turn::Async(task) => {
                let waker = self.wakers.remove(&task).unwrap_or_else(|| Waker::noop().clone());
                (task, Admitted(Notify::Waker(waker)))
            }
        })
    }

    /// Takes all submitters out of the line, because the queue is closed. Notifying them lets them find that out.
    pub fn dissolve(&mut self) -> Vec<Admitted> {
        let mut wakers = std::mem::take(&mut self.wakers);
        let turns = std::mem::take(&mut self.turns).into_iter();
        let notify = |turn| match turn {
            Turn::Thread(thread) => Some(Admitted(Notify::Thread(thread))),
            Turn::Async(task) => Some(Admitted(Notify::Waker(wakers.remove(&task)?))),
        };
        turns.filter_map(notify).collect()
    }
}

impl fmt::Debug for SubmitLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitLine").field("waiting", &self.turns.len()).finish()
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admitted")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicUsize};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Woken>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn ids<const N: usize>() -> [TaskId; N] {
        std::array::from_fn(|number| TaskId::from_u64(number as u64))
    }

    #[test]
    fn submitters_are_admitted_in_the_order_of_their_arrival() {
        let (mut line, [one, two, three]) = (SubmitLine::default(), ids());
        let woken = Arc::new(Woken::default());
        assert!(line.join_async(one, Waker::noop().clone()).is_none());
        let thread = line.join_blocked(two);
        assert!(line.join_async(three, Waker::noop().clone()).is_none());
        // It keeps its place in the line, and the last waker is woken.
        assert!(line.join_async(one, woken.clone().into()).is_some());
        let (task, admitted) = line.admit_next().expect("three wait");
        assert_eq!(task, one);
        admitted.notify();
        assert_eq!(woken.0.load(Relaxed), 1);
        assert!(!thread.is_admitted());
        let (task, admitted) = line.admit_next().expect("two wait");
        assert!(task == two && thread.is_admitted());
        assert!(admitted.notify_thread().is_none());
        assert_eq!(line.admit_next().expect("one waits").0, three);
        assert!(line.admit_next().is_none() && line.is_empty());
    }

    #[test]
    fn a_submitter_that_leaves_is_not_admitted_and_leaves_nothing_behind() {
        let (mut line, [one, two]) = (SubmitLine::default(), ids());
        for _ in 0..100 {
            line.join_async(one, Waker::noop().clone());
            line.join_async(two, Waker::noop().clone());
            assert!(line.leave(one).is_some() && line.leave(one).is_none());
            assert_eq!(line.admit_next().expect("one waits").0, two);
        }
        assert!(line.is_empty() && line.wakers.is_empty());
    }

    #[test]
    fn a_dissolved_line_notifies_all_and_admits_none() {
        let (mut line, [one, two]) = (SubmitLine::default(), ids());
        let woken = Arc::new(Woken::default());
        let thread = line.join_blocked(one);
        line.join_async(two, woken.clone().into());
        let all = line.dissolve();
        assert_eq!(all.len(), 2);
        all.into_iter().for_each(Admitted::notify);
        assert!(!thread.is_admitted() && line.is_empty());
        assert_eq!(woken.0.load(Relaxed), 1);
    }
}
