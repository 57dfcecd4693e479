//! What this program holds of the system's: descriptors, threads, mappings, children, memory.

use std::{fmt, fs};
use test_support::{children, open_descriptors, state, threads};

use super::heap;

/// See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) descriptors: usize,
    pub(super) threads: usize,
    /// Mappings of shared memory that a link to a worker has.
    pub(super) links: usize,
    pub(super) mappings: usize,
    /// Children, corpses included.
    pub(super) children: usize,
    /// Children that have ended and were not reaped.
    pub(super) zombies: usize,
    pub(super) resident_kib: usize,
    /// Bytes that are allocated.
    pub(super) heap: usize,
}

impl Census {
    /// Counts.
    pub(super) fn now() -> Census {
        let heap = heap::live_bytes();
        let maps = fs::read_to_string("/proc/self/maps").expect("a /proc");
        let children = children();
        Census {
            descriptors: open_descriptors(),
            threads: threads(),
            links: maps.lines().filter(|line| line.contains("/memfd:concurrent-futures")).count(),
            mappings: maps.lines().count(),
            zombies: children.iter().filter(|pid| state(**pid) == Some('Z')).count(),
            children: children.len(),
            resident_kib: resident_kib("self"),
            heap,
        }
    }

    /// What must be the same to the last one, whenever nothing goes on.
    pub(super) fn countable(self) -> [usize; 5] {
        [self.descriptors, self.threads, self.links, self.children, self.zombies]
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} descriptors, {} threads, {} links, {} mappings, {} children, {} zombies, {} KiB resident, {} bytes of heap",
            self.descriptors,
            self.threads,
            self.links,
            self.mappings,
            self.children,
            self.zombies,
            self.resident_kib,
            self.heap
        )
    }
}

/// How much memory of a process is in use. 0: there is no such process.
pub(super) fn resident_kib(process: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

/// The same, counted page by page, swapped ones included: the other number may be some pages behind for each processor.
/// None: there is no such process, or it is gone but for its status.
pub(super) fn counted_kib(pid: u32) -> Option<usize> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let number = |name: &str| -> Option<usize> {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(number("Rss:")? + number("Swap:")?)
}
