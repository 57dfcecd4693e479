//! The resources of this process, by which a test finds what a rule has leaked.

use std::{
    collections::BTreeMap,
    fmt, fs, process, thread,
    time::{Duration, Instant},
};

/// The child processes, threads and open file descriptors of this process at one moment.
///
/// It is only meaningful if nothing else runs in the process, as in a binary with one test that runs rule after rule.
/// It is read from `/proc`; on systems without `/proc` it is always empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceSnapshot {
    children: BTreeMap<u32, String>,
    threads: BTreeMap<u32, String>,
    descriptors: BTreeMap<u32, String>,
}

impl ResourceSnapshot {
    /// Returns the resources that exist now.
    pub fn now() -> ResourceSnapshot {
        let mut found = ResourceSnapshot::default();
        for thread in numbers_in("/proc/self/task") {
            let path = format!("/proc/self/task/{thread}");
            let Ok(name) = fs::read_to_string(format!("{path}/comm")) else { continue };
            found.threads.insert(thread, name.trim().to_string());
            let children = fs::read_to_string(format!("{path}/children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
                found.children.insert(child, name.trim().to_string());
            }
        }
        for descriptor in numbers_in("/proc/self/fd") {
            // The descriptor of the listing itself is already closed here.
            if let Ok(target) = fs::read_link(format!("/proc/self/fd/{descriptor}")) {
                found.descriptors.insert(descriptor, target.display().to_string());
            }
        }
        found
    }

    /// Waits until everything that was created since this snapshot is gone.
    ///
    /// # Errors
    ///
    /// Returns what still exists after `timeout`.
    pub fn wait_gone(&self, timeout: Duration) -> Result<(), ResourceSnapshot> {
        let deadline = Instant::now() + timeout;
        loop {
            let more = ResourceSnapshot::now().without(self);
            if more == ResourceSnapshot::default() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(more);
            }
            // The kernel removes ended threads and processes some time later, without a notification.
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn without(mut self, earlier: &ResourceSnapshot) -> ResourceSnapshot {
        self.children.retain(|key, value| earlier.children.get(key) != Some(value));
        self.threads.retain(|key, _| !earlier.threads.contains_key(key));
        self.descriptors.retain(|key, value| earlier.descriptors.get(key) != Some(value));
        self
    }
}

impl fmt::Display for ResourceSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "process {}: children {:?}, threads {:?}, descriptors {:?}",
            process::id(),
            self.children,
            self.threads,
            self.descriptors
        )
    }
}

fn numbers_in(directory: &str) -> Vec<u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_new_child_thread_and_file_are_found() {
        let before = ResourceSnapshot::now();
        let mut child = process::Command::new("sleep").arg("600").spawn().expect("sleep is installed");
        let file = fs::File::open("/proc/self/exe").expect("this program is a file");
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let thread = thread::spawn(move || receiver.recv());
        let more = before.wait_gone(Duration::ZERO).expect_err("three things are new");
        assert!(more.children.contains_key(&child.id()), "{more}");
        assert!(!more.threads.is_empty() && !more.descriptors.is_empty(), "{more}");
        drop((file, sender));
        let _ = thread.join();
        child.kill().expect("it is running");
        child.wait().expect("it was killed");
    }
}
