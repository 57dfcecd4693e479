//! Resources that a pool leaves behind in this process.

use std::{collections::BTreeMap, fs, thread, time::Instant};

use conformance::Leftovers;

use super::signs::TIMEOUT;

/// The children, threads, descriptors and shared mappings of this process at one moment.
#[derive(Debug)]
pub struct Left {
    others: Leftovers,
    mappings: BTreeMap<String, String>,
}

impl Left {
    /// Returns what there is now.
    pub fn now() -> Left {
        Left { others: Leftovers::now(), mappings: shared_mappings() }
    }

    /// Waits until nothing exists that did not exist before.
    ///
    /// # Errors
    ///
    /// If something still exists at the deadline. The error lists it.
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
