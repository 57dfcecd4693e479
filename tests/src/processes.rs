//! Looking at other processes from the outside.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Whether a process with this id runs. One that has ended and was not yet waited for does not.
pub fn runs(pid: u32) -> bool {
    !matches!(state(pid), Some('Z' | 'X') | None)
}

/// The letter that the system shows for the state of a process, such as `T` for one that was stopped. None: it is gone.
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The state is the first word behind the name, which may itself contain anything.
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// Waits until none of these processes runs.
///
/// # Panics
///
/// When one still runs after `patience`.
pub fn wait_gone(pids: &[u32], patience: Duration) {
    let deadline = Instant::now() + patience;
    while let Some(pid) = pids.iter().find(|pid| runs(**pid)) {
        assert!(Instant::now() < deadline, "process {pid} of {pids:?} still runs");
        // Nobody but the parent of a process hears of its end.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal by its name.
///
/// # Panics
///
/// Where there is no `kill` program.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
    assert!(sent.is_ok(), "`kill` cannot be started: {sent:?}");
}
