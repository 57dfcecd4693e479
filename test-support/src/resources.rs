//! What this process has of the system's.

use std::fs;

/// Returns the number of open descriptors of this process.
///
/// # Panics
///
/// If there is no `/proc`.
pub fn open_descriptors() -> usize {
    // The listing has a descriptor of its own.
    fs::read_dir("/proc/self/fd").expect("/proc is mounted").count() - 1
}

/// Returns the number of threads of this process.
///
/// # Panics
///
/// If there is no `/proc`.
pub fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("/proc is mounted").count()
}
