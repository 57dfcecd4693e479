//! Processes that a row starts, and ends in every way.
#![allow(unsafe_code)]

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};

/// A process and its children, which are a group. Dropping it kills all of them.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a process, whose output goes to a file.
    ///
    /// # Panics
    ///
    /// If the system refuses.
    pub fn start(mut command: Command, log: &Path) -> Process {
        let output = File::options().create(true).append(true).open(log).expect("a log can be written");
        let errors = output.try_clone().expect("a descriptor is left");
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        // SAFETY: between fork and exec it makes one system call, and allocates nothing.
        unsafe { command.pre_exec(die_with_parent) };
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        Process { child, log: log.to_path_buf() }
    }

    /// Returns the number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process and its children.
    pub fn signal(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            // It may have ended already.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Sends a signal to the process alone.
    pub fn signal_alone(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Kills the process and its children.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// Returns how the process has ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until the process has ended.
    ///
    /// # Panics
    ///
    /// If it has not ended in time.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                began.elapsed() < within,
                "process {} has not ended within {within:?}: {}",
                self.pid(),
                self.says()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Returns the last lines that the process has written.
    pub fn says(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A row that is killed leaves no process.
fn die_with_parent() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}
