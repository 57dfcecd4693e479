//! Kills random workers and counts the kills.

use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use process_pool::ProcessPoolExecutor;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use test_support::{Random, scale};

/// How often each process was killed. Two workers may have the same process id, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Kills(HashMap<u32, usize>);

impl Kills {
    fn add(&mut self, pid: u32) {
        *self.0.entry(pid).or_default() += 1;
    }

    /// Returns how many signals were sent.
    pub(super) fn count(&self) -> usize {
        self.0.values().sum()
    }

    pub(super) fn of(&self, pid: u32) -> usize {
        self.0.get(&pid).copied().unwrap_or_default()
    }

    /// Fails if a process lost more attempts than it was killed. `lost` has the id of the process for each loss.
    pub(super) fn account_for(&self, lost: impl IntoIterator<Item = u32>) {
        let mut losses: HashMap<u32, usize> = HashMap::new();
        for pid in lost {
            let count = losses.entry(pid).or_default();
            *count += 1;
            let kills = self.of(pid);
            assert!(*count <= kills, "worker {pid} was killed {kills} times, and {count} attempts were lost in it");
        }
    }
}

/// Sends `SIGKILL` to a worker, and returns `true` if it was sent. It is never sent to another process that has the id
/// of a dead worker.
pub(super) fn kill(pool: &ProcessPoolExecutor, pid: u32) -> bool {
    handle_of(pool, pid).is_some_and(|worker| pidfd_send_signal(&worker, Signal::KILL).is_ok())
}

/// Returns a handle that refers to this worker even if another process gets its id.
///
/// Returns `None` if the worker is no longer one of this pool.
pub(super) fn handle_of(pool: &ProcessPoolExecutor, pid: u32) -> Option<OwnedFd> {
    let handle = pidfd_open(Pid::from_raw(pid as i32)?, PidfdFlags::empty()).ok()?;
    // A listed worker is not reaped, so the handle is for this worker, or for a later one of this pool.
    pool.worker_pids().contains(&pid).then_some(handle)
}

/// Kills all workers of a pool.
pub(super) fn kill_all(pool: &ProcessPoolExecutor) -> Kills {
    let mut kills = Kills::default();
    for pid in pool.worker_pids() {
        if kill(pool, pid) {
            kills.add(pid);
        }
    }
    kills
}

/// A thread that kills workers.
#[derive(Debug)]
pub(super) struct Killer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Kills>,
}

impl Killer {
    /// Kills this many random workers a second, or fewer where programs are slower, so that fresh workers become ready.
    pub(super) fn start(pool: &Arc<ProcessPoolExecutor>, a_second: u32, random: Random) -> Killer {
        let stop = Arc::new(AtomicBool::new(false));
        let (pool, seen) = (pool.clone(), stop.clone());
        let thread = thread::Builder::new().name("killer".into());
        let thread = thread.spawn(move || run(&pool, a_second, random, &seen)).expect("a thread can be started");
        Killer { stop, thread }
    }

    /// Stops the thread, and returns what it has killed.
    pub(super) fn stop(self) -> Kills {
        // ORDERING: the flag publishes no other data.
        self.stop.store(true, Relaxed);
        self.thread.thread().unpark();
        self.thread.join().expect("the killer does not panic")
    }
}

fn run(pool: &ProcessPoolExecutor, a_second: u32, mut random: Random, stop: &AtomicBool) -> Kills {
    let pause = Duration::from_secs(1) * scale() / a_second;
    let mut kills = Kills::default();
    // Workers that were killed and are not reaped yet. A second signal would not cause a second death.
    let mut dying: Vec<u32> = Vec::new();
    let mut next = Instant::now() + pause;
    // ORDERING: see `Killer::stop`.
    while !stop.load(Relaxed) {
        let now = Instant::now();
        if now < next {
            thread::park_timeout(next - now);
            continue;
        }
        next = (next + pause).max(now);
        let mut pids = pool.worker_pids();
        dying.retain(|pid| pids.contains(pid));
        pids.retain(|pid| !dying.contains(pid));
        if !pids.is_empty() {
            let pid = random.choose(&pids);
            if kill(pool, pid) {
                kills.add(pid);
                dying.push(pid);
            }
        }
    }
    kills
}
