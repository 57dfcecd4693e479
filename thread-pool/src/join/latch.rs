//! How the two threads of a join meet: the latch of a half, and the helpers of a worker. `README.md` in this folder has
//! the argument.

use std::sync::atomic::Ordering::*;

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU32, Mutex, Unparker, fence};

/// No thread has finished the half, and its owner is awake.
const PENDING: u32 = 0;
/// No thread has finished the half, and its owner sleeps or is about to.
const ASLEEP: u32 = 1;
/// Another thread has run the half.
const RAN: u32 = 2;
/// The pool gives the half back to its owner, which must run it.
const RETURNED: u32 = 3;

/// Says whether a half is finished. It is final once it is finished.
pub(super) struct Latch(AtomicU32);

/// How a half ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Ran,
    Returned,
}

/// Whether the thread that finished a half must wake its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Owner {
    Awake,
    Asleep,
}

impl Latch {
    pub(super) fn new() -> Latch {
        Latch(AtomicU32::new(PENDING))
    }

    /// Finishes the half. The owner may free the latch from this moment on.
    pub(super) fn finish(&self, end: End) -> Owner {
        let end = match end {
            End::Ran => RAN,
            End::Returned => RETURNED,
        };
        // ORDERING: Release pairs with the Acquire in `end`: the owner sees the result.
        if self.0.swap(end, AcqRel) == ASLEEP { Owner::Asleep } else { Owner::Awake }
    }

    /// Returns how the half ended, or `None` if it has not.
    pub(super) fn end(&self) -> Option<End> {
        // ORDERING: Acquire pairs with the Release in `finish`.
        match self.0.load(Acquire) {
            RAN => Some(End::Ran),
            RETURNED => Some(End::Returned),
            _ => None,
        }
    }

    /// Notes that the owner is about to sleep. Returns `false` if the half is finished.
    #[must_use]
    pub(super) fn begin_sleep(&self) -> bool {
        // ORDERING: Acquire on failure, because the half is finished then.
        self.0.compare_exchange(PENDING, ASLEEP, Relaxed, Acquire).is_ok()
    }

    /// Notes that the owner is awake again.
    pub(super) fn end_sleep(&self) {
        // ORDERING: as in `begin_sleep`. A failure says that the half is finished.
        let _ = self.0.compare_exchange(ASLEEP, PENDING, Relaxed, Acquire);
    }
}

/// What other threads need to wake one worker that waits in a join, and the workers that help it.
pub(crate) struct Joiner {
    unparker: Unparker,
    /// The length of the list. It changes under the lock, and is read without it.
    count: CachePadded<AtomicU32>,
    /// The workers that sleep until this worker pushes something that they can run.
    helpers: Mutex<Vec<usize>>,
}

impl Joiner {
    pub(crate) fn new(unparker: Unparker) -> Joiner {
        Joiner { unparker, count: CachePadded::new(AtomicU32::new(0)), helpers: Mutex::new(Vec::new()) }
    }

    pub(crate) fn wake(&self) {
        self.unparker.unpark();
    }

    /// Adds a helper, which must check this worker's queue afterwards and before it sleeps.
    pub(crate) fn add_helper(&self, helper: usize) {
        let mut helpers = self.helpers.lock();
        helpers.push(helper);
        // ORDERING: the fence below orders this.
        self.count.store(helpers.len() as u32, Relaxed);
        drop(helpers);
        // ORDERING: pairs with the fence of the push: either the pusher sees the helper, or the helper sees the task.
        fence(SeqCst);
    }

    /// Removes a helper, if it is still in the list.
    pub(crate) fn remove_helper(&self, helper: usize) {
        let mut helpers = self.helpers.lock();
        if let Some(place) = helpers.iter().position(|other| *other == helper) {
            helpers.swap_remove(place);
        }
        // ORDERING: a pusher that reads an old number finds no helper, which does no harm.
        self.count.store(helpers.len() as u32, Relaxed);
    }

    /// Takes a helper out of the list, after this worker has pushed something. A fence must precede the call.
    #[inline]
    pub(crate) fn take_helper(&self) -> Option<usize> {
        // ORDERING: the fence of the push orders this.
        if self.count.load(Relaxed) == 0 { None } else { self.take_helper_locked() }
    }

    #[cold]
    fn take_helper_locked(&self) -> Option<usize> {
        let mut helpers = self.helpers.lock();
        let helper = helpers.pop();
        // ORDERING: as in `remove_helper`.
        self.count.store(helpers.len() as u32, Relaxed);
        helper
    }
}

/// Loom runs these models in every order of their steps. A lost wake-up is a deadlock here.
#[cfg(all(test, loom))]
mod model {
    use loom::{
        cell::UnsafeCell,
        sync::{Arc, atomic::AtomicUsize},
        thread,
    };

    use super::*;
    use crate::sync::Parker;

    #[test]
    fn an_owner_that_sleeps_sees_the_result() {
        for end in [End::Ran, End::Returned] {
            loom::model(move || {
                let parker = Parker::new();
                let joiner = Joiner::new(parker.unparker().clone());
                let shared = Arc::new((Latch::new(), UnsafeCell::new(0), joiner));
                let runner = thread::spawn({
                    let shared = shared.clone();
                    move || {
                        // SAFETY: the owner reads only after the half is finished.
                        shared.1.with_mut(|result| unsafe { *result = 7 });
                        if shared.0.finish(end) == Owner::Asleep {
                            shared.2.wake();
                        }
                    }
                });
                let ended = loop {
                    if let Some(end) = shared.0.end() {
                        break end;
                    }
                    if shared.0.begin_sleep() {
                        parker.park();
                        shared.0.end_sleep();
                    }
                };
                assert_eq!(ended, end);
                // SAFETY: the half is finished, so the runner does not write any more.
                assert_eq!(shared.1.with(|result| unsafe { *result }), 7);
                runner.join().unwrap();
            });
        }
    }

    #[test]
    fn a_helper_does_not_sleep_while_there_is_something_to_run() {
        loom::model(|| {
            let parker = Parker::new();
            let joiners =
                Arc::new([Joiner::new(Parker::new().unparker().clone()), Joiner::new(parker.unparker().clone())]);
            let queue = Arc::new(AtomicUsize::new(0));
            let worker = thread::spawn({
                let (joiners, queue) = (joiners.clone(), queue.clone());
                move || {
                    queue.fetch_add(1, Relaxed);
                    // This is the fence of `Sleep::after_push`.
                    fence(SeqCst);
                    if let Some(helper) = joiners[0].take_helper() {
                        joiners[helper].wake();
                    }
                }
            });
            loop {
                joiners[0].add_helper(1);
                if queue.load(Relaxed) == 0 {
                    parker.park();
                }
                joiners[0].remove_helper(1);
                if queue.load(Relaxed) == 1 {
                    break;
                }
            }
            worker.join().unwrap();
        });
    }
}
