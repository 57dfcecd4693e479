//! The memory of this process and of those that it has started, each page divided by the processes that share it.

use std::{collections::BTreeSet, fs};

use super::cpu;
use crate::Outcome;

/// Returns the proportional set size of this process and of all its descendants, in KiB.
///
/// # Errors
///
/// If the system does not tell.
pub fn total() -> Outcome<f64> {
    let mut processes: BTreeSet<u32> = cpu::workers().into_iter().map(|(pid, _)| pid).collect();
    processes.insert(std::process::id());
    processes.into_iter().map(of).sum()
}

fn of(pid: u32) -> Outcome<f64> {
    let file = format!("/proc/{pid}/smaps_rollup");
    let rollup = fs::read_to_string(&file)?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    number.ok_or_else(|| format!("{file} has no number after Pss:").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_written_counts() {
        let before = of(std::process::id()).unwrap();
        let memory = std::hint::black_box(vec![1_u8; 64 << 20]);
        // Other tests may free some at the same time.
        assert!(total().unwrap() > before + (32 << 10) as f64);
        drop(memory);
    }
}
