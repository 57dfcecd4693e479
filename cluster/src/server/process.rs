//! The process of a server, and the thread that has it as a child.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread::{self, JoinHandle},
};

use executor_core::{Error, ErrorKind};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{folder::Folder, parent_death};

/// A server that runs. Dropping it ends the server and waits for that.
///
/// The system ends a child with the *thread* that has started it, so that is a thread of its own, which lives as long.
#[derive(Debug)]
pub(super) struct Process {
    child: Arc<Mutex<Option<Child>>>,
    pid: Pid,
    /// The process that started the server. A fork of it has a copy of this value, and must not end the server.
    owner: u32,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Process {
    pub(super) fn start(program: &Path, folder: &Folder) -> Result<Process, Error> {
        use std::os::unix::process::CommandExt as _;

        let refused = |error: std::io::Error| {
            Error::new(ErrorKind::Unavailable, format!("{} cannot be started: {error}", program.display()))
        };
        let output = folder.open_output().map_err(refused)?;
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(folder.config())
            .current_dir(folder.path())
            .stdin(folder.share_lock().map_err(refused)?)
            .stderr(output.try_clone().map_err(refused)?)
            .stdout(Stdio::from(output))
            // An interrupt from the terminal is for the program, which may still use its server.
            .process_group(0);
        parent_death::follow(&mut command);
        let (started, start) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let body = move || {
            let child = match command.spawn() {
                Ok(child) => child,
                Err(error) => return drop(started.send(Err(error))),
            };
            // The lock is open in the server, and in no other child of this process.
            drop(command);
            let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
            let child = Arc::new(Mutex::new(Some(child)));
            let _ = started.send(Ok((child.clone(), pid)));
            wait(pid);
            // It is a zombie still, so its number is its own until this lock is taken.
            if let Some(mut child) = child.lock().take() {
                let _ = child.wait();
            }
            let _ = end.send(());
        };
        let thread = thread::Builder::new().name("nats-server".into()).spawn(body).map_err(refused)?;
        let ended_early = || std::io::Error::other("its thread has ended");
        let (child, pid) = start.recv().map_err(|_| ended_early()).and_then(|started| started).map_err(refused)?;
        Ok(Process { child, pid, owner: std::process::id(), ended, thread: Some(thread) })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Returns the channel that gets a message when the server has ended.
    pub(super) fn ended(&mut self) -> &Receiver<()> {
        &self.ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::process::id() != self.owner {
            return;
        }
        // While this is locked, no one reaps the server, so its number stays its own.
        let child = self.child.lock();
        if child.is_some() {
            // The group, because the program may be a script that runs the server. It fails only if the group is gone.
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        drop(child);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until the child has ended, and leaves it unreaped.
fn wait(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    // Another error means that the program reaps all its children.
    while matches!(waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
}
