//! System resources of this process.

use std::fs;

/// Returns the number of open descriptors of this process.
///
/// # Panics
///
/// If there is no `/proc`.
pub fn open_descriptors() -> usize {
    // The listing itself has one descriptor.
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
