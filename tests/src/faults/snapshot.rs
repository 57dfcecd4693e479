//! The resources of this process, by which a check finds what a pool has leaked.

use std::{collections::BTreeMap, fs, thread, time::Instant};

use conformance::ResourceSnapshot;

use super::signs::TIMEOUT;

/// The children, threads, descriptors and shared mappings of this process at one moment.
#[derive(Debug)]
pub struct Snapshot {
    others: ResourceSnapshot,
    mappings: BTreeMap<String, String>,
}

impl Snapshot {
    /// Returns the resources that exist now.
    pub fn now() -> Snapshot {
        Snapshot { others: ResourceSnapshot::now(), mappings: shared_mappings() }
    }

    /// Waits until everything that was created since this snapshot is gone.
    ///
    /// # Errors
    ///
    /// If something of it still exists at the deadline. The error lists it.
    pub fn wait_gone(&self) -> Result<(), String> {
        self.others.wait_gone(TIMEOUT).map_err(|left| format!("something was left behind: {left}"))?;
        let start = Instant::now();
        loop {
            let new: Vec<_> = shared_mappings().into_iter().filter(|at| !self.mappings.contains_key(&at.0)).collect();
            if new.is_empty() {
                return Ok(());
            }
            if start.elapsed() > TIMEOUT {
                return Err(format!("mappings were left behind: {new:?}"));
            }
            thread::yield_now();
        }
    }
}

/// Returns the addresses and the names of mappings that can be shared with workers.
fn shared_mappings() -> BTreeMap<String, String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let shared = maps.lines().filter(|line| line.contains("/memfd:"));
    shared.filter_map(|line| line.split_once(' ')).map(|(at, what)| (at.to_string(), what.to_string())).collect()
}
