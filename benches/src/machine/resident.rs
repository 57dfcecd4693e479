//! The resident memory of this process.

use std::fs;

use crate::Outcome;

/// Returns the memory that is resident now, in KiB.
///
/// # Errors
///
/// If the system does not tell.
pub fn now() -> Outcome<f64> {
    line("VmRSS:")
}

/// Returns the most memory that has been resident at a time, in KiB.
///
/// # Errors
///
/// If the system does not tell.
pub fn most() -> Outcome<f64> {
    line("VmHWM:")
}

fn line(name: &str) -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    number.ok_or_else(|| format!("/proc/self/status has no number after {name}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_written_is_resident_and_counts_after_it_is_freed() {
        let before = now().unwrap();
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        // Other tests may free some at the same time.
        assert!(most().unwrap() > before + (32 << 10) as f64);
    }
}
