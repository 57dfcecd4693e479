//! The injector: tasks of priority 0 from outside the pool, first in, first out.

use std::{collections::VecDeque, sync::atomic::Ordering::*};

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicBool, Mutex};

/// A queue with two ends that rarely touch each other.
///
/// Submitters push at the back. Workers take from the front, and when the front is empty they exchange it for the whole
/// back. So a submitter and a worker meet once for many tasks, and the cache lines of each end stay with the threads
/// that use it. In a single lock-free queue, a worker would read the submitter's end for each task and take its cache
/// line away each time.
pub(super) struct Injector<T> {
    back: CachePadded<End<T>>,
    front: CachePadded<End<T>>,
}

struct End<T> {
    /// Whether `tasks` is not empty. Written under the lock, when that changes; read without it.
    any: AtomicBool,
    tasks: Mutex<VecDeque<T>>,
}

/// The capacity that an empty end keeps, in tasks.
const KEPT_CAPACITY: usize = 1 << 12;

impl<T> Injector<T> {
    #[inline]
    pub(super) fn push(&self, task: T) {
        let mut back = self.back.tasks.lock();
        back.push_back(task);
        if back.len() == 1 {
            // ORDERING: a thread that sees it takes the lock before it takes the task. The fences of `Sleep` ensure
            // that a worker does not fall asleep without seeing it.
            self.back.any.store(true, Relaxed);
        }
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<T> {
        if self.is_empty() { None } else { self.pop_locked() }
    }

    #[inline]
    fn pop_locked(&self) -> Option<T> {
        let mut front = self.front.tasks.lock();
        if front.is_empty() && !self.refill(&mut front) {
            return None;
        }
        let task = front.pop_front();
        if front.is_empty() {
            self.emptied(&mut front);
        }
        task
    }

    /// Exchanges the empty front for the back. Returns `false` if that is empty too.
    #[inline(never)]
    fn refill(&self, front: &mut VecDeque<T>) -> bool {
        let mut back = self.back.tasks.lock();
        if back.is_empty() {
            return false;
        }
        std::mem::swap(front, &mut *back);
        // ORDERING: as in `push`.
        self.front.any.store(true, Relaxed);
        // ORDERING: Release pairs with the Acquire in `is_empty`: a thread that sees the back empty sees the tasks at
        // the front.
        self.back.any.store(false, Release);
        true
    }

    /// Frees unused capacity of the front, whose last task was taken.
    #[inline(never)]
    fn emptied(&self, front: &mut VecDeque<T>) {
        front.shrink_to(KEPT_CAPACITY);
        // ORDERING: as in `push`.
        self.front.any.store(false, Relaxed);
    }

    /// Puts tasks before all others, in this order.
    pub(super) fn push_front(&self, tasks: Vec<T>) {
        if tasks.is_empty() {
            return;
        }
        let mut front = self.front.tasks.lock();
        tasks.into_iter().rev().for_each(|task| front.push_front(task));
        // ORDERING: as in `push`.
        self.front.any.store(true, Relaxed);
    }

    /// Removes and returns the tasks for which `keep` returns `false`. The others stay where they are, and other
    /// threads see them all the time.
    pub(super) fn retain(&self, keep: impl Fn(&T) -> bool) -> Vec<T> {
        if self.is_empty() { Vec::new() } else { self.retain_locked(keep) }
    }

    fn retain_locked(&self, keep: impl Fn(&T) -> bool) -> Vec<T> {
        let mut removed = Vec::new();
        for end in [&self.front, &self.back] {
            let mut tasks = end.tasks.lock();
            retain(&mut tasks, &keep, &mut removed);
            // ORDERING: Release as in `pop_locked`: a thread that sees from this store that the back is empty must also
            // see the tasks that were moved to the front before.
            end.any.store(!tasks.is_empty(), Release);
        }
        removed
    }

    pub(super) fn len(&self) -> usize {
        let front = self.front.tasks.lock();
        front.len() + self.back.tasks.lock().len()
    }

    /// Returns `true` if both ends are empty. Tasks move from the back to the front, so the ends are checked in this
    /// order.
    pub(super) fn is_empty(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `pop_locked` and `retain_locked`.
        !self.back.any.load(Acquire) && !self.front.any.load(Relaxed)
    }
}

/// Moves the tasks for which `keep` returns `false` to the end of `removed`, and frees unused capacity.
pub(super) fn retain<T>(tasks: &mut VecDeque<T>, keep: impl Fn(&T) -> bool, removed: &mut Vec<T>) {
    for _ in 0..tasks.len() {
        match tasks.pop_front() {
            Some(task) if keep(&task) => tasks.push_back(task),
            other => removed.extend(other),
        }
    }
    if tasks.capacity() > 4 * tasks.len() {
        tasks.shrink_to(KEPT_CAPACITY.max(2 * tasks.len()));
    }
}

impl<T> Default for Injector<T> {
    fn default() -> Injector<T> {
        Injector { back: CachePadded::default(), front: CachePadded::default() }
    }
}

impl<T> Default for End<T> {
    fn default() -> End<T> {
        End { any: AtomicBool::new(false), tasks: Mutex::new(VecDeque::new()) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn tasks_leave_in_the_order_of_their_arrival_across_both_ends() {
        let injector = Injector::default();
        let mut taken = Vec::new();
        for n in 0..100 {
            injector.push(n);
            if n % 3 == 0 {
                taken.extend(injector.pop());
            }
            assert!(!injector.is_empty() || taken.len() == n + 1);
        }
        taken.extend(std::iter::from_fn(|| injector.pop()));
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
        assert!(injector.is_empty());
    }

    #[test]
    fn removed_tasks_leave_the_others_in_order() {
        let injector = Injector::default();
        (0..10).for_each(|n| injector.push(n));
        assert_eq!(injector.pop(), Some(0));
        // Now both ends have tasks.
        (10..20).for_each(|n| injector.push(n));
        injector.push_front(vec![-2, -1]);
        let odd = injector.retain(|n| n % 2 == 0);
        assert_eq!(odd, [-1, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
        assert_eq!(injector.len(), 10);
        let rest: Vec<i32> = std::iter::from_fn(|| injector.pop()).collect();
        assert_eq!(rest, [-2, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
        assert!(injector.is_empty());
        injector.push(1);
        assert_eq!(injector.retain(|_| false), [1]);
        assert!(injector.is_empty() && injector.pop().is_none());
    }

    #[test]
    fn the_memory_of_a_burst_is_freed() {
        let injector = Injector::default();
        (0..10 * KEPT_CAPACITY).for_each(|n| injector.push(n));
        drop(injector.retain(|n| *n == 0));
        let capacity =
            |injector: &Injector<usize>| injector.front.tasks.lock().capacity() + injector.back.tasks.lock().capacity();
        assert!(capacity(&injector) <= 3 * KEPT_CAPACITY, "after removing");
        (0..10 * KEPT_CAPACITY).for_each(|n| injector.push(n));
        while injector.pop().is_some() {}
        assert!(capacity(&injector) <= 3 * KEPT_CAPACITY, "after popping");
    }
}

/// Loom runs these models in every order of their steps.
#[cfg(all(test, loom))]
mod model {
    use loom::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_task_is_visible_while_it_moves_to_the_front() {
        loom::model(|| {
            let injector = Arc::new(Injector::default());
            injector.push(1);
            injector.push(2);
            let taker = thread::spawn({
                let injector = injector.clone();
                // This is not `pop`, whose check comes first, because loom reorders only the last access to each
                // atomic.
                move || assert_eq!(injector.pop_locked(), Some(1))
            });
            assert!(!injector.is_empty());
            taker.join().unwrap();
            assert_eq!(injector.pop(), Some(2));
        });
    }

    #[test]
    fn a_moved_task_is_visible_while_another_one_is_removed() {
        loom::model(|| {
            let injector = Arc::new(Injector::default());
            injector.push(1);
            injector.push(2);
            let remover = thread::spawn({
                let injector = injector.clone();
                move || {
                    assert_eq!(injector.pop_locked(), Some(1));
                    injector.push(3);
                    assert_eq!(injector.retain_locked(|n| *n == 2), [3]);
                }
            });
            assert!(!injector.is_empty());
            remover.join().unwrap();
            assert_eq!(injector.pop(), Some(2));
            assert!(injector.is_empty());
        });
    }

    #[test]
    fn two_threads_take_each_pushed_task_once() {
        loom::model(|| {
            let injector = Arc::new(Injector::default());
            let pusher = thread::spawn({
                let injector = injector.clone();
                move || injector.push(1)
            });
            let taker = thread::spawn({
                let injector = injector.clone();
                move || injector.pop()
            });
            injector.push(2);
            let taken = injector.pop();
            pusher.join().unwrap();
            let mut all: Vec<_> = taken.into_iter().chain(taker.join().unwrap()).collect();
            all.extend(std::iter::from_fn(|| injector.pop()));
            all.sort_unstable();
            assert_eq!(all, [1, 2]);
        });
    }
}
