//! What the tasks of a worker start, and leave behind.
//!
//! A worker is the reaper of its descendants: what a task's child has left running when it ended becomes a child of the
//! worker, instead of the system's, and so can be ended with it. For the same reason the worker has to wait for those
//! when they have ended, for no one else does.
#![allow(unsafe_code)]

use std::{
    io,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, WaitId, WaitIdOptions, getpid, getrlimit, setrlimit, waitid};

use crate::process::tree;

/// The worker, of which a task may make copies.
static WORKER: AtomicI32 = AtomicI32::new(0);

/// Adopts what this process is going to start, and has it end with this process, if that ends by `exit`.
pub(super) fn adopt() -> io::Result<()> {
    // ORDERING: no other thread runs yet.
    WORKER.store(getpid().as_raw_nonzero().get(), Relaxed);
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(getpid()))?;
    // The first to be registered, so it runs behind all that tasks register.
    // SAFETY: the function is safe to call at any time, and stays for as long as the process.
    if unsafe { libc::atexit(at_exit) } == 0 { Ok(()) } else { Err(io::ErrorKind::OutOfMemory.into()) }
}

extern "C" fn at_exit() {
    // ORDERING: written before any copy of this process was made.
    if WORKER.load(Relaxed) == getpid().as_raw_nonzero().get() {
        end();
    }
}

/// Kills everything that this process has started.
pub(super) fn end() {
    // Looking takes descriptors, and the tasks may have used up all that this process may have.
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    tree::end_below(getpid(), || true);
}

/// Waits for children that have ended and for which no one waits.
///
/// Which of them were adopted cannot be told from those that a task has started and still wants to wait for. So some
/// are always left, those that were started last.
#[derive(Debug)]
pub(super) struct Reaper {
    due: Instant,
}

/// So many are left. A task that wants to wait for children of an earlier one has fewer.
const LEFT: usize = 64;

/// How often they are looked for, at most: it takes a look at all processes.
const PAUSE: Duration = Duration::from_secs(1);

impl Reaper {
    pub(super) fn new() -> Reaper {
        Reaper { due: Instant::now() }
    }

    /// To be called between tasks, now and then.
    pub(super) fn look(&mut self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let is_one = matches!(waitid(WaitId::All, options | WaitIdOptions::NOWAIT), Ok(Some(_)));
        if !is_one || Instant::now() < self.due {
            return;
        }
        let mut corpses = Vec::new();
        tree::for_each_corpse(|pid, age| corpses.push((age, pid)));
        corpses.sort_unstable_by_key(|(started, _)| *started);
        let many = corpses.len().saturating_sub(LEFT);
        for (_, pid) in corpses.into_iter().take(many) {
            // The only failure is that someone has waited for it.
            let _ = waitid(WaitId::Pid(pid), options);
        }
        self.due = Instant::now() + PAUSE;
    }
}
