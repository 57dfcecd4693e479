//! The threads of a pool, for joining them.

use std::{
    sync::OnceLock,
    thread::{self, JoinHandle, ThreadId},
    time::Instant,
};

use parking_lot::Mutex;

/// The threads that were started.
#[derive(Default)]
pub(crate) struct Crew {
    /// Set once, when all are started.
    members: OnceLock<Box<[ThreadId]>>,
    /// Those that were started later, each for a worker that waits for it.
    helpers: Mutex<Vec<ThreadId>>,
    /// Those that nobody has joined yet.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Crew {
    pub(crate) fn set(&self, threads: Vec<JoinHandle<()>>) {
        let members = threads.iter().map(|thread| thread.thread().id()).collect();
        *self.threads.lock() = threads;
        let _ = self.members.set(members);
    }

    pub(crate) fn len(&self) -> usize {
        self.members.get().map_or(0, |members| members.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the calling thread is one of them, be it in the destructors of its thread locals.
    pub(crate) fn has_current_thread(&self) -> bool {
        let current = thread::current().id();
        self.members.get().is_some_and(|members| members.contains(&current)) || self.helpers.lock().contains(&current)
    }

    /// Counts a thread that was started later as one of them, until what is returned is dropped.
    pub(crate) fn add_helper(&self, thread: ThreadId) -> Helper<'_> {
        self.helpers.lock().push(thread);
        Helper { crew: self, thread }
    }

    /// Waits for the ends of threads that have left the pool already, so that no trace of them is left: what is still
    /// to come are the destructors of thread locals. False: somebody else is at it, beyond the deadline.
    pub(crate) fn join(&self, deadline: Option<Instant>) -> bool {
        let mut threads = match deadline {
            None => self.threads.lock(),
            Some(deadline) => match self.threads.try_lock_until(deadline) {
                Some(threads) => threads,
                None => return false,
            },
        };
        for thread in threads.drain(..) {
            // An error would be a panic of the worker loop itself, which aborts instead.
            let _ = thread.join();
        }
        true
    }
}

/// See [`Crew::add_helper`].
#[must_use]
pub(crate) struct Helper<'a> {
    crew: &'a Crew,
    thread: ThreadId,
}

impl Drop for Helper<'_> {
    fn drop(&mut self) {
        self.crew.helpers.lock().retain(|thread| *thread != self.thread);
    }
}
