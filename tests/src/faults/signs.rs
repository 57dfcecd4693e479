//! Signs that processes leave each other: files in a directory.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// A directory for signs, by its path. It may be sent to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signs(PathBuf);

/// How long one event may take to come about. What takes longer hangs, on the busiest machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

impl Signs {
    /// Signs in this directory.
    pub fn new(directory: &Path) -> Signs {
        Signs(directory.to_path_buf())
    }

    /// Leaves a sign.
    pub fn put(&self, name: &str) {
        // The directory of a check that has failed is gone, and nobody looks for signs there any more.
        let _ = fs::write(self.0.join(name), "");
    }

    /// Leaves a sign if nobody has done so before. True: it was left by this call.
    pub fn put_first(&self, name: &str) -> bool {
        OpenOptions::new().write(true).create_new(true).open(self.0.join(name)).is_ok()
    }

    /// Whether the sign is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// Adds the number of this process to a list, as a whole, also if several processes do so at once.
    pub fn sign_in(&self, list: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.0.join(list));
        if let Ok(mut file) = file {
            let _ = file.write_all(format!("{}\n", std::process::id()).as_bytes());
        }
    }

    /// The processes that have signed in.
    pub fn list(&self, list: &str) -> Vec<u32> {
        let text = fs::read_to_string(self.0.join(list)).unwrap_or_default();
        text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
    }

    /// In a task: waits for a sign, for as long as its check goes on.
    pub fn wait(&self, name: &str) {
        while !self.has(name) && self.0.exists() {
            pause();
        }
    }

    /// In a task: waits until so many processes have signed in, for as long as its check goes on.
    pub fn wait_for_all(&self, list: &str, processes: usize) {
        while self.list(list).len() < processes && self.0.exists() {
            pause();
        }
    }
}

/// Waits until something is so, which nothing but looking can tell.
///
/// # Errors
///
/// If it does not come about.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > PATIENCE {
            return Err(format!("{what} does not come about"));
        }
        pause();
    }
    Ok(())
}

fn pause() {
    thread::park_timeout(Duration::from_micros(300));
}
