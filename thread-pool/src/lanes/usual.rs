//! The lane of the usual tasks: first in, first out.

use std::{collections::VecDeque, sync::atomic::Ordering::*};

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicBool, Mutex};

/// A queue with two ends that have nothing to do with each other, most of the time.
///
/// Those who submit push at the back. Workers take from the front, and when that is empty they exchange it for all that
/// is at the back. So a submitter and a worker meet once for many tasks, and the cache lines of either end stay with
/// the thread that uses it. In a lock-free queue of one piece the worker looks at the submitter's end for each task, to
/// see whether there is one, and takes its cache line away each time: that made submitting five times as dear while a
/// worker was at the heels of the submitter.
pub(super) struct Usual<T> {
    back: CachePadded<End<T>>,
    front: CachePadded<End<T>>,
}

struct End<T> {
    /// Whether there is anything. Written under the lock, when that changes; read without it.
    any: AtomicBool,
    tasks: Mutex<VecDeque<T>>,
}

/// What an end keeps room for when it is empty.
const KEPT: usize = 1 << 12;

impl<T> Usual<T> {
    pub(super) fn push(&self, task: T) {
        let mut back = self.back.tasks.lock();
        back.push_back(task);
        if back.len() == 1 {
            // ORDERING: who sees it takes the lock before the task. That a worker about to sleep does not miss it is
            // the affair of the fences of `Sleep`.
            self.back.any.store(true, Relaxed);
        }
    }

    pub(super) fn pop(&self) -> Option<T> {
        if self.is_empty() { None } else { self.pop_locked() }
    }

    fn pop_locked(&self) -> Option<T> {
        let mut front = self.front.tasks.lock();
        if front.is_empty() {
            let mut back = self.back.tasks.lock();
            if back.is_empty() {
                return None;
            }
            std::mem::swap(&mut *front, &mut *back);
            // ORDERING: as in `push`.
            self.front.any.store(true, Relaxed);
            // ORDERING: Release pairs with the Acquire in `is_empty`: who sees that the back is empty sees where its
            // tasks are now.
            self.back.any.store(false, Release);
        }
        let task = front.pop_front();
        if front.is_empty() {
            front.shrink_to(KEPT);
            // ORDERING: as in `push`.
            self.front.any.store(false, Relaxed);
        }
        task
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

    /// Takes out what is not to be kept, and returns it. The rest stays where it is, and is never out of sight.
    pub(super) fn take_out(&self, keep: impl Fn(&T) -> bool) -> Vec<T> {
        if self.is_empty() { Vec::new() } else { self.take_out_locked(keep) }
    }

    fn take_out_locked(&self, keep: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for end in [&self.front, &self.back] {
            let mut tasks = end.tasks.lock();
            take_out(&mut tasks, &keep, &mut taken);
            // ORDERING: Release, as in `pop_locked`: this may be the store by which the back is seen to be empty, and
            // whoever sees it has to see what went to the front before.
            end.any.store(!tasks.is_empty(), Release);
        }
        taken
    }

    pub(super) fn len(&self) -> usize {
        let front = self.front.tasks.lock();
        front.len() + self.back.tasks.lock().len()
    }

    /// Tasks go from the back to the front, so they are looked for in this order.
    pub(super) fn is_empty(&self) -> bool {
        // ORDERING: pairs with the Release in `pop_locked` and `take_out`.
        !self.back.any.load(Acquire) && !self.front.any.load(Relaxed)
    }
}

/// Moves what is not to be kept to the end of `taken`, and gives back the memory that is left over.
pub(super) fn take_out<T>(tasks: &mut VecDeque<T>, keep: impl Fn(&T) -> bool, taken: &mut Vec<T>) {
    for _ in 0..tasks.len() {
        match tasks.pop_front() {
            Some(task) if keep(&task) => tasks.push_back(task),
            other => taken.extend(other),
        }
    }
    if tasks.capacity() > 4 * tasks.len() {
        tasks.shrink_to(KEPT.max(2 * tasks.len()));
    }
}

impl<T> Default for Usual<T> {
    fn default() -> Usual<T> {
        Usual { back: CachePadded::default(), front: CachePadded::default() }
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
    fn what_comes_first_goes_first_also_across_the_two_ends() {
        let lane = Usual::default();
        let mut taken = Vec::new();
        for n in 0..100 {
            lane.push(n);
            if n % 3 == 0 {
                taken.extend(lane.pop());
            }
            assert!(!lane.is_empty() || taken.len() == n + 1);
        }
        taken.extend(std::iter::from_fn(|| lane.pop()));
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
        assert!(lane.is_empty());
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest_in_order() {
        let lane = Usual::default();
        (0..10).for_each(|n| lane.push(n));
        assert_eq!(lane.pop(), Some(0));
        // Some at either end by now.
        (10..20).for_each(|n| lane.push(n));
        lane.push_front(vec![-2, -1]);
        let odd = lane.take_out(|n| n % 2 == 0);
        assert_eq!(odd, [-1, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
        assert_eq!(lane.len(), 10);
        let rest: Vec<i32> = std::iter::from_fn(|| lane.pop()).collect();
        assert_eq!(rest, [-2, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
        assert!(lane.is_empty());
        lane.push(1);
        assert_eq!(lane.take_out(|_| false), [1]);
        assert!(lane.is_empty() && lane.pop().is_none());
    }

    #[test]
    fn the_memory_of_a_burst_is_given_back() {
        let lane = Usual::default();
        (0..10 * KEPT).for_each(|n| lane.push(n));
        drop(lane.take_out(|n| *n == 0));
        let capacity = |lane: &Usual<usize>| lane.front.tasks.lock().capacity() + lane.back.tasks.lock().capacity();
        assert!(capacity(&lane) <= 3 * KEPT, "taken out");
        (0..10 * KEPT).for_each(|n| lane.push(n));
        while lane.pop().is_some() {}
        assert!(capacity(&lane) <= 3 * KEPT, "run");
    }
}

/// Played through by loom in every order.
#[cfg(all(test, loom))]
mod model {
    use loom::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_task_that_nobody_takes_is_seen_also_while_it_is_moved() {
        loom::model(|| {
            let lane = Arc::new(Usual::default());
            lane.push(1);
            lane.push(2);
            let takes = thread::spawn({
                let lane = lane.clone();
                // Without the look before it: of the accesses to an atomic, loom only goes back to the last.
                move || assert_eq!(lane.pop_locked(), Some(1))
            });
            assert!(!lane.is_empty());
            takes.join().unwrap();
            assert_eq!(lane.pop(), Some(2));
        });
    }

    #[test]
    fn a_task_that_was_moved_is_seen_while_another_one_is_taken_out() {
        loom::model(|| {
            let lane = Arc::new(Usual::default());
            lane.push(1);
            lane.push(2);
            let takes_out = thread::spawn({
                let lane = lane.clone();
                move || {
                    assert_eq!(lane.pop_locked(), Some(1));
                    lane.push(3);
                    assert_eq!(lane.take_out_locked(|n| *n == 2), [3]);
                }
            });
            assert!(!lane.is_empty());
            takes_out.join().unwrap();
            assert_eq!(lane.pop(), Some(2));
            assert!(lane.is_empty());
        });
    }

    #[test]
    fn two_take_what_two_have_pushed_once() {
        loom::model(|| {
            let lane = Arc::new(Usual::default());
            let pushes = thread::spawn({
                let lane = lane.clone();
                move || lane.push(1)
            });
            let takes = thread::spawn({
                let lane = lane.clone();
                move || lane.pop()
            });
            lane.push(2);
            let taken = lane.pop();
            pushes.join().unwrap();
            let mut all: Vec<_> = taken.into_iter().chain(takes.join().unwrap()).collect();
            all.extend(std::iter::from_fn(|| lane.pop()));
            all.sort_unstable();
            assert_eq!(all, [1, 2]);
        });
    }
}
