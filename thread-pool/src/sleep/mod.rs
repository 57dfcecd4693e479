//! When idle workers sleep, and what wakes them. `README.md` in this folder has the protocol and the proof that no
//! wake-up is lost.

mod counters;
mod counting;
#[cfg(all(test, loom))]
mod model;
mod workers;

pub(crate) use counters::MAX_WORKERS;
pub(crate) use workers::Width;

use std::{fmt, sync::atomic::Ordering::*};

use crossbeam_utils::CachePadded;
use executor_core::growing::Growing;

use crate::sync::{AtomicBool, AtomicU32, Deadline, Mutex, Parker, Unparker, fence};
use counters::Counters;
use workers::{Workers, max_searching};

/// The sleep state that the workers of a pool share.
pub(crate) struct Sleep {
    counters: CachePadded<Counters>,
    /// The workers that sleep, and how many workers there are. The counter of sleepers changes under this lock, so it
    /// equals the length of the list.
    workers: Mutex<Workers>,
    park_slots: Growing<ParkSlot>,
    /// Half of the workers, and never more than there are processors. More searchers would find no more tasks and would
    /// take processors from the workers that run tasks.
    max_searching: AtomicU32,
    /// Whether there are more workers than there may be. It changes under the lock.
    has_surplus: AtomicBool,
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
    /// The caller must start a worker, which is counted already.
    MustStart,
    Closed,
}

/// The state of a pool after a worker has stopped searching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "waiters must be notified when no worker is idle"]
pub(crate) enum AfterSearch {
    SomeIdle,
    NoneIdle,
    /// No worker is idle, and the caller must start one, which is counted already.
    MustStart,
}

/// What ended the sleep of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a worker that is not counted any more must leave"]
pub(crate) enum AfterSleep {
    /// There may be work. The worker is counted as searching.
    Awake,
    /// The pool need not keep the worker, which is not counted any more.
    Leaves,
}

/// Whether a worker was found for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum Found {
    Yes,
    /// The caller must start one, which is counted already.
    MustStart,
}

impl Sleep {
    /// Returns the state of a pool of this width, whose least number of workers are awake, and the half of each worker
    /// that there may be.
    pub(crate) fn new(width: Width) -> (Sleep, Vec<Sleeper>) {
        let sleepers: Vec<Sleeper> = (0..width.most).map(Sleeper::new).collect();
        let sleep = Sleep {
            counters: CachePadded::default(),
            park_slots: Growing::new(sleepers.iter().map(ParkSlot::of)),
            max_searching: AtomicU32::new(max_searching(width.most)),
            has_surplus: AtomicBool::new(false),
            workers: Mutex::new(Workers::new(width)),
        };
        sleep.note_width(&sleep.workers.lock());
        (sleep, sleepers)
    }

    /// Adds places for at least this number of workers, and returns the half of each new one. The caller holds the lock
    /// under which workers are started.
    pub(crate) fn grow(&self, length: usize) -> Vec<Sleeper> {
        let mut sleepers = Vec::new();
        self.park_slots.grow(length, |index| {
            let sleeper = Sleeper::new(index);
            let slot = ParkSlot::of(&sleeper);
            sleepers.push(sleeper);
            slot
        });
        sleepers
    }

    /// Wakes a worker if none is searching. Every push of a task must be followed by this.
    #[inline]
    pub(crate) fn after_push(&self) -> AfterPush {
        // ORDERING: pairs with the fence in `fall_asleep` and with the one in `stop_searching`. Either this read sees
        // that the worker sleeps or has stopped searching, or that worker's check of the queues sees the task.
        fence(SeqCst);
        let seen = self.counters.read();
        if seen.needs_worker() && self.wake_one() == Found::MustStart {
            return AfterPush::MustStart;
        }
        if seen.is_closed() { AfterPush::Closed } else { AfterPush::Open }
    }

    /// Wakes a worker, or counts one that the caller must start.
    #[cold]
    fn wake_one(&self) -> Found {
        let mut workers = self.workers.lock();
        // Several submitters may have seen the same sleeper. One of them wakes it.
        if !self.counters.read().needs_worker() {
            return Found::Yes;
        }
        let Some(index) = workers.sleepers.pop() else { return self.count_one_more(&mut workers) };
        self.counters.end_sleep(1);
        self.park_slots[index].mark_awake();
        drop(workers);
        self.park_slots[index].unparker.unpark();
        Found::Yes
    }

    /// Counts the calling worker as searching, unless enough workers search already. Returns `true` if it is counted.
    #[must_use = "a worker that is not counted must not search"]
    pub(crate) fn try_start_searching(&self) -> bool {
        // ORDERING: a bound that is out of date does no harm.
        self.counters.try_start_searching(self.max_searching.load(Relaxed))
    }

    /// Counts the calling worker, which was started for a task, as searching.
    pub(crate) fn start_searching(&self) {
        self.counters.start_searching();
    }

    /// Stops counting the calling worker as searching, because it has found a task or leaves. The last worker to stop
    /// wakes another one if there is more work.
    pub(crate) fn stop_searching(&self, has_work: impl FnOnce() -> bool) -> AfterSearch {
        let before = self.counters.stop_searching();
        if before.searching() == 1 && before.has_reserve() {
            // ORDERING: pairs with the fence in `after_push`, whose caller may have relied on this searcher.
            fence(SeqCst);
            if has_work() && self.wake_one() == Found::MustStart {
                return AfterSearch::MustStart;
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

    /// Returns `true` if all workers sleep.
    pub(crate) fn all_sleep(&self) -> bool {
        self.workers.lock().all_sleep()
    }

    /// Sleeps until there is work, the pool is closed, or the worker is not needed any more. `searched` says whether
    /// the calling worker was counted as searching before the call.
    pub(crate) fn fall_asleep(&self, sleeper: &Sleeper, searched: bool, has_work: impl FnOnce() -> bool) -> AfterSleep {
        let slot = &self.park_slots[sleeper.index];
        let mut workers = self.workers.lock();
        workers.sleepers.push(sleeper.index);
        // ORDERING: only this thread reads it without the lock.
        slot.sleeping.store(true, Relaxed);
        let seen = self.counters.begin_sleep(searched);
        let mut deadline = workers.time_to_sleep().map(Deadline::after);
        if workers.forget_refusal() {
            self.note_width(&workers);
        }
        drop(workers);
        // ORDERING: pairs with the fence in `after_push`.
        fence(SeqCst);
        if seen.is_closed() || has_work() {
            let mut workers = self.workers.lock();
            // If another thread woke this worker meanwhile, it removed it from the list. The parker then holds a token,
            // which makes the next `park` return immediately; the loop below checks `sleeping` again after that.
            if let Some(position) = workers.sleepers.iter().position(|index| *index == sleeper.index) {
                workers.sleepers.remove(position);
                self.counters.end_sleep(1);
                slot.mark_awake();
            }
            return AfterSleep::Awake;
        }
        // ORDERING: Acquire pairs with the Release in `mark_awake`: this worker sees what its waker did before.
        while slot.sleeping.load(Acquire) {
            let has_timed_out = match deadline {
                None => {
                    sleeper.parker.park();
                    false
                }
                Some(deadline) => deadline.park(&sleeper.parker),
            };
            if has_timed_out {
                // If it must stay now, it is one of those that are kept.
                deadline = None;
            }
            // ORDERING: as above. A worker that no thread has woken may be one too many.
            if slot.sleeping.load(Acquire) && self.try_leave(sleeper.index, has_timed_out) {
                return AfterSleep::Leaves;
            }
        }
        AfterSleep::Awake
    }

    /// Marks the pool as closed and wakes all workers.
    pub(crate) fn close(&self) {
        self.counters.close();
        let mut workers = self.workers.lock();
        workers.close();
        self.note_width(&workers);
        let woken = std::mem::take(&mut workers.sleepers);
        self.counters.end_sleep(woken.len() as u32);
        for index in &woken {
            self.park_slots[*index].mark_awake();
        }
        drop(workers);
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

impl Sleeper {
    fn new(index: usize) -> Sleeper {
        Sleeper { index, parker: Parker::new() }
    }
}

impl ParkSlot {
    fn of(sleeper: &Sleeper) -> ParkSlot {
        ParkSlot { sleeping: CachePadded::new(AtomicBool::new(false)), unparker: sleeper.parker.unparker().clone() }
    }

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
