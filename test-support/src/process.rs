//! Other processes.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Copies a program that a test runs. Another process does it: a child that another thread starts at the same time
/// would inherit the descriptor that writes the copy, and the copy could not run while that is open ("Text file busy").
///
/// # Panics
///
/// If the copy fails.
pub fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().expect("cp");
    assert!(copied.success(), "no copy of {} as {}", from.display(), to.display());
}

/// Returns the letter that the kernel shows for the state of a process, such as `T` for stopped or `Z` for a zombie.
///
/// Returns `None` if the process does not exist.
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    fields_after_name(&stat)?.next()?.chars().next()
}

/// Returns `true` if a process exists and is not a zombie. One whose first thread has ended before the others is alive:
/// nobody can learn of its end yet.
pub fn is_alive(pid: u32) -> bool {
    !matches!(state(pid), Some('Z' | 'X') | None) || threads(pid).is_some_and(|count| count > 1)
}

/// Returns how many threads a process has.
fn threads(pid: u32) -> Option<u32> {
    // The field 20; the first one after the name is the field 3.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    fields_after_name(&stat)?.nth(17)?.parse().ok()
}

/// Returns `true` if a process was stopped by a signal.
pub fn is_stopped(pid: u32) -> bool {
    matches!(state(pid), Some('T' | 't'))
}

/// Waits until none of these processes is alive.
///
/// # Panics
///
/// If one is still alive after `timeout`.
pub fn wait_gone(pids: &[u32], timeout: Duration) {
    let deadline = Instant::now() + timeout;
    while let Some(pid) = pids.iter().find(|pid| is_alive(**pid)) {
        assert!(Instant::now() < deadline, "process {pid} of {pids:?} is still alive");
        // Only the parent of a process is notified of its end.
        thread::sleep(Duration::from_millis(1));
    }
}

/// Returns the children of this process, zombies included.
///
/// # Panics
///
/// If there is no `/proc`.
pub fn children() -> Vec<u32> {
    children_of(std::process::id())
}

/// Returns the children of a process, zombies included.
///
/// # Panics
///
/// If there is no `/proc`.
pub fn children_of(pid: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|child| parent(*child) == Some(pid)).collect()
}

/// Returns the parent of a process, or `None` if the process does not exist.
pub fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    fields_after_name(&stat)?.nth(1)?.parse().ok()
}

/// Returns the fields after the name of the program, which may contain spaces and parentheses.
fn fields_after_name(stat: &str) -> Option<impl Iterator<Item = &str>> {
    Some(stat.rsplit_once(") ")?.1.split(' '))
}

/// Sends a signal to a process. Nothing happens if the process does not exist.
#[allow(unsafe_code)]
pub fn kill(pid: u32, signal: i32) {
    // SAFETY: a system call without pointers.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}
