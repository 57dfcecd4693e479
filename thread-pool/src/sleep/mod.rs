//! When idle workers sleep, and what wakes them. `README.md` in this folder has the protocol and the proof that no
//! wake-up is lost.

mod counters;
#[cfg(all(test, loom))]
mod model;

pub(crate) use counters::MAX_WORKERS;

use std::{fmt, sync::atomic::Ordering::*};

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicBool, Mutex, Parker, Unparker, fence};
use counters::Counters;

/// The sleep state that the workers of a pool share.
pub(crate) struct Sleep {
    counters: CachePadded<Counters>,
    /// The workers that sleep. The last one to begin its sleep is woken first, because its caches are the warmest.
    /// The counter of sleepers changes under this lock, so it equals the length of the list.
    sleepers: Mutex<Vec<usize>>,
    park_slots: Box<[ParkSlot]>,
    /// Half of the workers, and never more than there are processors. More searchers would find no more tasks and would
    /// take processors from the workers that run tasks.
    max_searching: u32,
}

/// What other threads need to wake one worker.
struct ParkSlot {
    /// Whether the worker is in the list of sleepers. It changes under the lock of the list.
    sleeping: CachePadded<AtomicBool>,
    unparker: Unparker,
}

/// The worker's own half of its [`ParkSlot`].
pub(crate) struct Sleeper {
    index: usize,
    parker: Parker,
}

/// The state of a pool after a task was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a task that was pushed into a closed pool may have no worker left to run it"]
pub(crate) enum AfterPush {
    Open,
    Closed,
}

/// The state of a pool after a worker has stopped searching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "waiters must be notified when no worker is idle"]
pub(crate) enum AfterSearch {
    SomeIdle,
    NoneIdle,
}

impl Sleep {
    /// Returns the state for this number of workers, all awake, and the half of each worker.
    pub(crate) fn new(workers: usize) -> (Sleep, Vec<Sleeper>) {
        let sleepers: Vec<Sleeper> = (0..workers).map(|index| Sleeper { index, parker: Parker::new() }).collect();
        let park_slot = |sleeper: &Sleeper| ParkSlot {
            sleeping: CachePadded::new(AtomicBool::new(false)),
            unparker: sleeper.parker.unparker().clone(),
        };
        let sleep = Sleep {
            counters: CachePadded::default(),
            sleepers: Mutex::new(Vec::with_capacity(workers)),
            park_slots: sleepers.iter().map(park_slot).collect(),
            max_searching: workers.div_ceil(2).min(num_cpus::get()) as u32,
        };
        (sleep, sleepers)
    }

    /// Wakes a worker if none is searching. Every push of a task must be followed by this.
    #[inline]
    pub(crate) fn after_push(&self) -> AfterPush {
        // ORDERING: pairs with the fence in `fall_asleep` and with the one in `stop_searching`. Either this read sees
        // that the worker sleeps or has stopped searching, or that worker's check of the queues sees the task.
        fence(SeqCst);
        let seen = self.counters.read();
        if seen.needs_wake_up() {
            self.wake_one();
        }
        if seen.is_closed() { AfterPush::Closed } else { AfterPush::Open }
    }

    #[cold]
    fn wake_one(&self) {
        let mut sleepers = self.sleepers.lock();
        // Several submitters may have seen the same sleeper. One of them wakes it.
        if !self.counters.read().needs_wake_up() {
            return;
        }
        let Some(index) = sleepers.pop() else { return };
        self.counters.end_sleep(1);
        self.park_slots[index].mark_awake();
        drop(sleepers);
        self.park_slots[index].unparker.unpark();
    }

    /// Counts the calling worker as searching, unless enough workers search already. Returns `true` if it is counted.
    #[must_use = "a worker that is not counted must not search"]
    pub(crate) fn try_start_searching(&self) -> bool {
        self.counters.try_start_searching(self.max_searching)
    }

    /// Stops counting the calling worker as searching, because it has found a task or leaves. The last worker to stop
    /// wakes another one if there is more work.
    pub(crate) fn stop_searching(&self, has_work: impl FnOnce() -> bool) -> AfterSearch {
        let before = self.counters.stop_searching();
        if before.searching() == 1 && before.sleeping() > 0 {
            // ORDERING: pairs with the fence in `after_push`, whose caller may have relied on this searcher.
            fence(SeqCst);
            if has_work() {
                self.wake_one();
            }
        }
        if before.searching() == 1 && before.sleeping() == 0 { AfterSearch::NoneIdle } else { AfterSearch::SomeIdle }
    }

    /// Returns `true` if a worker searches or sleeps, so that it will take the next task. If the result decides whether
    /// a thread sleeps, a fence must precede the call.
    pub(crate) fn has_idle_worker(&self) -> bool {
        let seen = self.counters.read();
        seen.searching() > 0 || seen.sleeping() > 0
    }

    /// Returns `true` if this number of workers sleep.
    pub(crate) fn all_sleep(&self, workers: usize) -> bool {
        self.counters.read().sleeping() as usize == workers
    }

    /// Sleeps until there is work or the pool is closed. `searched` says whether the calling worker was counted as
    /// searching before the call; after it, the worker always is.
    pub(crate) fn fall_asleep(&self, sleeper: &Sleeper, searched: bool, has_work: impl FnOnce() -> bool) {
        let slot = &self.park_slots[sleeper.index];
        let mut sleepers = self.sleepers.lock();
        sleepers.push(sleeper.index);
        // ORDERING: only this thread reads it without the lock.
        slot.sleeping.store(true, Relaxed);
        let seen = self.counters.begin_sleep(searched);
        drop(sleepers);
        // ORDERING: pairs with the fence in `after_push`.
        fence(SeqCst);
        if seen.is_closed() || has_work() {
            let mut sleepers = self.sleepers.lock();
            // If another thread woke this worker meanwhile, it removed it from the list. The parker then holds a token,
            // which makes the next `park` return immediately; the loop below checks `sleeping` again after that.
            if let Some(position) = sleepers.iter().position(|index| *index == sleeper.index) {
                sleepers.remove(position);
                self.counters.end_sleep(1);
                slot.mark_awake();
            }
            return;
        }
        // ORDERING: Acquire pairs with the Release in `mark_awake`: this worker sees what its waker did before.
        while slot.sleeping.load(Acquire) {
            sleeper.parker.park();
        }
    }

    /// Marks the pool as closed and wakes all workers.
    pub(crate) fn close(&self) {
        self.counters.close();
        let mut sleepers = self.sleepers.lock();
        let woken = std::mem::take(&mut *sleepers);
        self.counters.end_sleep(woken.len() as u32);
        for index in &woken {
            self.park_slots[*index].mark_awake();
        }
        drop(sleepers);
        for index in woken {
            self.park_slots[index].unparker.unpark();
        }
    }

    /// Returns `true` if [`close`](Sleep::close) was called.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.counters.read().is_closed()
    }
}

impl ParkSlot {
    /// Notes that the worker left the list of sleepers. The caller holds the lock of the list.
    fn mark_awake(&self) {
        // ORDERING: Release pairs with the Acquire in `fall_asleep`.
        self.sleeping.store(false, Release);
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counters.read().fmt(f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
