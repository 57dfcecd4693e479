//! The threads of a pool.

use std::{
    io,
    thread::{self, JoinHandle, ThreadId},
    time::Instant,
};

use parking_lot::{Mutex, MutexGuard};

/// The threads that a pool has started. They are joined at its end.
#[derive(Default)]
pub(crate) struct Threads {
    /// The workers' threads, even while they run the destructors of their thread locals.
    workers: Mutex<Vec<ThreadId>>,
    /// The threads with fresh stacks, which stand in for workers that wait.
    stand_ins: Mutex<Vec<ThreadId>>,
    /// The workers' threads that are not joined yet.
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Threads {
    /// Takes the right to start threads, so that they are joined if they are started before the pool ends.
    pub(crate) fn starter(&self) -> Starter<'_> {
        Starter { threads: self, handles: self.handles.lock() }
    }

    /// Notes that the calling thread is a worker.
    pub(crate) fn add_current(&self) {
        self.workers.lock().push(thread::current().id());
    }

    /// Returns `true` if the calling thread is one of these, even in the destructors of its thread locals.
    pub(crate) fn has_current_thread(&self) -> bool {
        let current = thread::current().id();
        self.workers.lock().contains(&current) || self.stand_ins.lock().contains(&current)
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

/// The right to start threads; see [`Threads::starter`].
pub(crate) struct Starter<'a> {
    threads: &'a Threads,
    handles: MutexGuard<'a, Vec<JoinHandle<()>>>,
}

impl Starter<'_> {
    /// Starts a thread.
    pub(crate) fn start(&mut self, thread: thread::Builder, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.forget_ended();
        self.handles.push(thread.spawn(run)?);
        Ok(())
    }

    /// Forgets threads that have ended, so that a pool whose workers come and go does not keep more and more of them.
    /// Such a thread may still run the destructors of its thread locals, for which nothing may wait here.
    fn forget_ended(&mut self) {
        let Threads { workers, .. } = self.threads;
        for at in (0..self.handles.len()).rev() {
            if self.handles[at].is_finished() {
                let ended = self.handles.swap_remove(at).thread().id();
                workers.lock().retain(|thread| *thread != ended);
            }
        }
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
