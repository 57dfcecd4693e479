//! The system resources that this program holds: descriptors, threads, mappings, children, memory.

use std::{fmt, fs};

use test_support::{children, open_descriptors, state, threads};

use costs::heap;

/// The number of each resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resources {
    pub(super) descriptors: usize,
    pub(super) threads: usize,
    /// Mappings of the memory that is shared with workers.
    pub(super) links: usize,
    pub(super) mappings: usize,
    /// Children, zombies included.
    pub(super) children: usize,
    /// Children that have ended and are not reaped.
    pub(super) zombies: usize,
    pub(super) resident_kib: usize,
    /// Allocated bytes.
    pub(super) heap: usize,
}

impl Resources {
    /// Counts them now.
    pub(super) fn now() -> Resources {
        let heap = heap::live_bytes();
        let maps = fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
        let children = children();
        Resources {
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

    /// Returns the counts that must be exactly equal whenever the pool is idle.
    pub(super) fn countable(self) -> [usize; 5] {
        [self.descriptors, self.threads, self.links, self.children, self.zombies]
    }
}

impl fmt::Display for Resources {
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

/// Returns the resident memory of a process, and 0 if the process does not exist.
pub(super) fn resident_kib(process: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

/// Returns the resident and swapped memory of a process, counted page by page. The number of [`resident_kib`] may be
/// late by some pages for each processor.
///
/// Returns `None` if the process does not exist or is a zombie.
pub(super) fn counted_kib(pid: u32) -> Option<usize> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let number = |name: &str| -> Option<usize> {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(number("Rss:")? + number("Swap:")?)
}
