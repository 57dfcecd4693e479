//! Files by which the processes of a check synchronise.
//!
//! Unlike `test_support::SharedDir`, `Signs` can be sent to workers and never panics, because a worker may outlive the
//! directory of its check.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// The path of a directory for signs. It can be sent to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signs(PathBuf);

/// This is longer than any single event takes on the busiest machine.
pub const TIMEOUT: Duration = Duration::from_secs(60);

impl Signs {
    /// Returns signs in this directory.
    pub fn new(directory: &Path) -> Signs {
        Signs(directory.to_path_buf())
    }

    /// Creates a sign.
    pub fn put(&self, name: &str) {
        // The directory of a check that has failed is gone.
        let _ = fs::write(self.0.join(name), "");
    }

    /// Creates a sign, and returns `true` if it did not exist before.
    pub fn put_first(&self, name: &str) -> bool {
        OpenOptions::new().write(true).create_new(true).open(self.0.join(name)).is_ok()
    }

    /// Returns `true` if the sign exists.
    pub fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// Adds the id of this process to a list. Lines of several processes do not mix.
    pub fn sign_in(&self, list: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.0.join(list));
        if let Ok(mut file) = file {
            let _ = file.write_all(format!("{}\n", std::process::id()).as_bytes());
        }
    }

    /// Returns the processes that have signed in.
    pub fn list(&self, list: &str) -> Vec<u32> {
        let text = fs::read_to_string(self.0.join(list)).unwrap_or_default();
        text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
    }

    /// Waits in a task for a sign, or until the check has ended.
    pub fn wait(&self, name: &str) {
        while !self.has(name) && self.0.exists() {
            pause();
        }
    }

    /// Waits in a task until this many processes have signed in, or until the check has ended.
    pub fn wait_for_all(&self, list: &str, processes: usize) {
        while self.list(list).len() < processes && self.0.exists() {
            pause();
        }
    }
}

/// Checks a condition repeatedly until it holds.
///
/// # Errors
///
/// If it does not hold in time.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > TIMEOUT {
            return Err(format!("waited {TIMEOUT:?} for {what}"));
        }
        pause();
    }
    Ok(())
}

fn pause() {
    thread::park_timeout(Duration::from_micros(300));
}
