//! The threads of a pool.

use std::{
    sync::OnceLock,
    thread::{self, JoinHandle, ThreadId},
    time::Instant,
};

use parking_lot::Mutex;

/// The threads that a pool has started. They are joined at its end.
#[derive(Default)]
pub(crate) struct Threads {
    /// Set once, after all workers were started.
    workers: OnceLock<Box<[ThreadId]>>,
    /// The threads with fresh stacks, which stand in for workers that wait.
    stand_ins: Mutex<Vec<ThreadId>>,
    /// The workers' threads that are not joined yet.
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Threads {
    pub(crate) fn set(&self, threads: Vec<JoinHandle<()>>) {
        let workers = threads.iter().map(|thread| thread.thread().id()).collect();
        *self.handles.lock() = threads;
        let _ = self.workers.set(workers);
    }

    /// Returns the number of workers that were started.
    pub(crate) fn len(&self) -> usize {
        self.workers.get().map_or(0, |workers| workers.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `true` if the calling thread is one of these, even in the destructors of its thread locals.
    pub(crate) fn has_current_thread(&self) -> bool {
        let current = thread::current().id();
        self.workers.get().is_some_and(|workers| workers.contains(&current)) || self.stand_ins.lock().contains(&current)
    }

    /// Counts a thread with a fresh stack as one of these, until the guard is dropped.
    pub(crate) fn add_stand_in(&self, thread: ThreadId) -> StandIn<'_> {
        self.stand_ins.lock().push(thread);
        StandIn { threads: self, thread }
    }

    /// Joins the threads of workers that have left the pool. They may still run the destructors of thread locals.
    /// Returns `false` if another thread joins them and has not finished by the deadline.
    pub(crate) fn join(&self, deadline: Option<Instant>) -> bool {
        let mut handles = match deadline {
            None => self.handles.lock(),
            Some(deadline) => match self.handles.try_lock_until(deadline) {
                Some(handles) => handles,
                None => return false,
            },
        };
        for thread in handles.drain(..) {
            // An error would be a panic of the worker loop, which aborts the program instead.
            let _ = thread.join();
        }
        true
    }
}

/// Keeps a thread counted; see [`Threads::add_stand_in`].
#[must_use]
pub(crate) struct StandIn<'a> {
    threads: &'a Threads,
    thread: ThreadId,
}

impl Drop for StandIn<'_> {
    fn drop(&mut self) {
        self.threads.stand_ins.lock().retain(|thread| *thread != self.thread);
    }
}
