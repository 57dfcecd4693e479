//! The processes that the tasks of a worker start and leave behind.
//!
//! A worker is the reaper of its descendants: when a task's child ends, the processes that it has left running become
//! children of the worker, instead of the system's first process, and so can be ended with the worker. Therefore the
//! worker must also wait for those children when they have ended, because no other process can.

use std::{
    io,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, WaitId, WaitIdOptions, getpid, getrlimit, setrlimit, waitid};

use crate::sys::{exit, process, process_tree, sandbox};

/// The process id of the worker. A forked copy compares its own id with this one, and so knows that it is not the
/// worker.
static WORKER: AtomicI32 = AtomicI32::new(0);

/// Makes this process the reaper of its descendants, and ends them when it exits.
pub(crate) fn adopt() -> io::Result<()> {
    // ORDERING: no other thread runs yet.
    WORKER.store(getpid().as_raw_nonzero().get(), Relaxed);
    process::adopt_orphans()?;
    // It is registered first, so it runs after all handlers that tasks register.
    exit::at_exit(end_at_exit)
}

extern "C" fn end_at_exit() {
    // ORDERING: written before any copy of this process was made.
    if WORKER.load(Relaxed) == getpid().as_raw_nonzero().get() {
        end();
    }
}

/// Kills all processes that this process has started. In a sandbox it cannot look for them: its parent ends those,
/// which have not left the group.
pub(crate) fn end() {
    if sandbox::is_locked() {
        return;
    }
    // The search needs descriptors, and the tasks may have used up all that this process may have.
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    process_tree::kill_below(getpid(), || true);
}

/// Waits for children that have ended and for which no task waits.
///
/// An adopted child cannot be distinguished from a child that a task has started and still wants to wait for. So the
/// reaper always leaves the children that were started last.
#[derive(Debug)]
pub(crate) struct Reaper {
    due: Instant,
}

/// How many children are left. A task that wants to wait for children of an earlier task most likely has fewer.
const LEFT: usize = 64;

/// The least time between two searches, because a search reads the list of all processes.
const PAUSE: Duration = Duration::from_secs(1);

impl Reaper {
    pub(crate) fn new() -> Reaper {
        Reaper { due: Instant::now() }
    }

    /// Reaps children, if a search is due. The worker calls this now and then, between tasks.
    pub(crate) fn reap(&mut self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let is_one = matches!(waitid(WaitId::All, options | WaitIdOptions::NOWAIT), Ok(Some(_)));
        if !is_one || Instant::now() < self.due {
            return;
        }
        let mut zombies = Vec::new();
        process_tree::for_each_zombie(|pid, started| zombies.push((started, pid)));
        zombies.sort_unstable_by_key(|(started, _)| *started);
        let many = zombies.len().saturating_sub(LEFT);
        for (_, pid) in zombies.into_iter().take(many) {
            // It fails only if a task has waited for this child.
            let _ = waitid(WaitId::Pid(pid), options);
        }
        self.due = Instant::now() + PAUSE;
    }
}
