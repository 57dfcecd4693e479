//! Counted values, with which a rule checks that arguments and results are dropped.

use std::{
    collections::HashMap,
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

static ALIVE: Mutex<Option<HashMap<u64, usize>>> = Mutex::new(None);
static DROPPED: Condvar = Condvar::new();

fn alive() -> MutexGuard<'static, Option<HashMap<u64, usize>>> {
    ALIVE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Creates probes, and counts those that exist in this process.
#[derive(Debug)]
pub struct Counter(u64);

impl Counter {
    /// Creates a counter without probes.
    #[allow(clippy::new_without_default)] // Every counter is different, so there is no default one.
    pub fn new() -> Counter {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Counter(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Creates a probe.
    pub fn probe(&self) -> Probe {
        Probe::counted(self.0)
    }

    /// Waits until at most this many probes exist in this process. It waits because a worker may drop a task shortly
    /// after its future is done.
    ///
    /// # Panics
    ///
    /// Panics if there are still more after `timeout`.
    pub fn wait_alive(&self, most: usize, timeout: Duration) {
        let more = |counts: &mut Option<HashMap<u64, usize>>| {
            counts.as_ref().and_then(|counts| counts.get(&self.0)).is_some_and(|count| *count > most)
        };
        let (counts, waited) =
            DROPPED.wait_timeout_while(alive(), timeout, more).unwrap_or_else(|poisoned| poisoned.into_inner());
        drop(counts);
        assert!(!waited.timed_out(), "{} values exist, expected at most {most}", self.alive());
    }

    /// Returns how many of its probes exist in this process.
    pub fn alive(&self) -> usize {
        alive().as_ref().and_then(|counts| counts.get(&self.0)).copied().unwrap_or(0)
    }
}

/// A counted value: an argument or a result.
#[derive(Debug)]
pub struct Probe(u64);

impl Probe {
    fn counted(key: u64) -> Probe {
        *alive().get_or_insert_default().entry(key).or_default() += 1;
        Probe(key)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let mut guard = alive();
        let counts = guard.get_or_insert_default();
        match counts.get_mut(&self.0) {
            Some(1) => drop(counts.remove(&self.0)),
            Some(count) => *count -= 1,
            None => unreachable!("a probe is counted when it is created"),
        }
        drop(guard);
        DROPPED.notify_all();
    }
}

impl Serialize for Probe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Probe, D::Error> {
        u64::deserialize(deserializer).map(Probe::counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_counts_the_existing_probes() {
        let counter = Counter::new();
        let first = counter.probe();
        let second = counter.probe();
        assert_eq!(counter.alive(), 2);
        drop(first);
        assert_eq!(counter.alive(), 1);
        drop(second);
        assert_eq!(counter.alive(), 0);
    }
}
