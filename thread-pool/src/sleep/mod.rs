//! How idle workers sleep, and who wakes them. `README.md` beside this file has the protocol and the argument why no
//! wake-up is lost.

mod counters;
#[cfg(all(test, loom))]
mod model;

pub(crate) use counters::MOST_WORKERS;

use std::{fmt, sync::atomic::Ordering::*};

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicBool, Mutex, Parker, Unparker, fence};
use counters::Counters;

/// What the workers of a pool share about sleeping.
pub(crate) struct Sleep {
    counters: CachePadded<Counters>,
    /// Who sleeps; the last to lie down is the first to be woken, because its caches are the warmest. The counter of
    /// sleepers changes under this lock, so it is the length of the list.
    sleepers: Mutex<Vec<usize>>,
    beds: Box<[Bed]>,
    /// More searchers would find no more, and would take the processors from those who work.
    most_searching: u32,
}

/// What is needed to wake one worker.
struct Bed {
    /// Whether it is in the list of sleepers. Changes under the lock of the list.
    occupied: CachePadded<AtomicBool>,
    unparker: Unparker,
}

/// A worker's half of its bed.
pub(crate) struct Sleeper {
    index: usize,
    parker: Parker,
}

impl Sleep {
    /// For so many workers, all of them awake.
    pub(crate) fn new(workers: usize) -> (Sleep, Vec<Sleeper>) {
        let sleepers: Vec<Sleeper> = (0..workers).map(|index| Sleeper { index, parker: Parker::new() }).collect();
        let bed = |sleeper: &Sleeper| Bed {
            occupied: CachePadded::new(AtomicBool::new(false)),
            unparker: sleeper.parker.unparker().clone(),
        };
        let sleep = Sleep {
            counters: CachePadded::default(),
            sleepers: Mutex::new(Vec::with_capacity(workers)),
            beds: sleepers.iter().map(bed).collect(),
            most_searching: workers.div_ceil(2).min(num_cpus::get()) as u32,
        };
        (sleep, sleepers)
    }

    /// To be called after a task was put where workers find it: wakes a worker if nobody searches. True: the pool is
    /// closed.
    #[inline]
    pub(crate) fn announce_work(&self) -> bool {
        // ORDERING: pairs with the fence in `fall_asleep`, and with the one in `stop_searching`: either this reading
        // sees the worker that sleeps or has stopped searching, or that worker's look at the queues sees the task.
        fence(SeqCst);
        let seen = self.counters.read();
        if seen.calls_for_waking() {
            self.wake_one();
        }
        seen.is_closed()
    }

    #[cold]
    fn wake_one(&self) {
        let mut sleepers = self.sleepers.lock();
        // Several submitters may have seen the same sleeper; one of them is enough.
        if !self.counters.read().calls_for_waking() {
            return;
        }
        let Some(index) = sleepers.pop() else { return };
        self.counters.get_up(1);
        self.beds[index].vacate();
        drop(sleepers);
        self.beds[index].unparker.unpark();
    }

    /// From now on the calling worker counts as searching. False: enough do already, so it had better lie down.
    pub(crate) fn start_searching(&self) -> bool {
        self.counters.start_searching(self.most_searching)
    }

    /// The calling worker has found something, and searches no more. If it was the last to search, it sees to it that
    /// somebody goes on where there is more to find. True: no worker is idle any more.
    #[must_use = "those who wait until no worker is idle are to be told"]
    pub(crate) fn stop_searching(&self, is_there_work: impl FnOnce() -> bool) -> bool {
        let before = self.counters.stop_searching();
        if before.searching() == 1 && before.sleeping() > 0 {
            // ORDERING: pairs with the fence in `announce_work`, whose caller may have relied on this searcher.
            fence(SeqCst);
            if is_there_work() {
                self.wake_one();
            }
        }
        before.searching() == 1 && before.sleeping() == 0
    }

    /// Whether a worker searches or sleeps, so that it will take the next task. Where the answer decides whether a
    /// thread may sleep, a fence stands before it.
    pub(crate) fn has_idle_worker(&self) -> bool {
        let seen = self.counters.read();
        seen.searching() > 0 || seen.sleeping() > 0
    }

    /// Sleeps until there is work or the pool is closed. The calling worker counts as searching afterwards, whether it
    /// did before (`searched`) or not.
    pub(crate) fn fall_asleep(&self, sleeper: &Sleeper, searched: bool, is_there_work: impl FnOnce() -> bool) {
        let bed = &self.beds[sleeper.index];
        let mut sleepers = self.sleepers.lock();
        sleepers.push(sleeper.index);
        // ORDERING: only this thread reads it without the lock.
        bed.occupied.store(true, Relaxed);
        let seen = self.counters.lie_down(searched);
        drop(sleepers);
        // ORDERING: pairs with the fence in `announce_work`.
        fence(SeqCst);
        if seen.is_closed() || is_there_work() {
            let mut sleepers = self.sleepers.lock();
            // If it was woken meanwhile, it was taken off the list, and the parker holds a token that ends the next
            // sleep at once; the loop below looks again then.
            if let Some(place) = sleepers.iter().position(|index| *index == sleeper.index) {
                sleepers.remove(place);
                self.counters.get_up(1);
                bed.vacate();
            }
            return;
        }
        // ORDERING: Acquire pairs with the Release of `vacate`: this worker sees what its waker did before.
        while bed.occupied.load(Acquire) {
            sleeper.parker.park();
        }
    }

    /// Says that no more tasks are accepted, and wakes everybody.
    pub(crate) fn close(&self) {
        self.counters.close();
        let mut sleepers = self.sleepers.lock();
        let woken = std::mem::take(&mut *sleepers);
        self.counters.get_up(woken.len() as u32);
        for index in &woken {
            self.beds[*index].vacate();
        }
        drop(sleepers);
        for index in woken {
            self.beds[index].unparker.unpark();
        }
    }

    /// Whether [`close`](Sleep::close) was called.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.counters.read().is_closed()
    }
}

impl Bed {
    /// Under the lock of the list.
    fn vacate(&self) {
        // ORDERING: Release pairs with the Acquire in `fall_asleep`.
        self.occupied.store(false, Release);
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counters.read().fmt(f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
