//! What the tasks of a scope and the thread that waits for them share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::*},
};

use executor_core::{Error, SharedFuture, scoped};
use parking_lot::{Condvar, Mutex};

/// Counts the tickets of a scope, and keeps what the waiting thread needs.
pub(super) struct Shared {
    tickets: AtomicUsize,
    state: Mutex<State>,
    /// Notified when the last ticket is dropped, and when `may_run_inline` gets a task.
    changed: Condvar,
    /// Whether the waiting thread is a worker of the pool, so that it must run tasks that have not started.
    runs_inline: bool,
}

#[derive(Default)]
struct State {
    /// Tasks that may not have started. It stays empty unless `runs_inline` is set.
    may_run_inline: Vec<SharedFuture<()>>,
    /// The first panic that no one has read.
    unread: Option<Error>,
}

/// Exists as long as a scoped closure.
pub(super) struct Ticket(Arc<Shared>);

impl Shared {
    pub(super) fn new(runs_inline: bool) -> Arc<Shared> {
        Arc::new(Shared { tickets: AtomicUsize::new(0), state: Mutex::default(), changed: Condvar::new(), runs_inline })
    }

    /// Keeps a handle of a task if the waiting thread may have to run it.
    pub(super) fn remember(&self, future: &SharedFuture<()>) {
        if !self.runs_inline {
            return;
        }
        let mut state = self.state.lock();
        if state.may_run_inline.len() == state.may_run_inline.capacity() {
            state.may_run_inline.retain(|future| !future.done());
        }
        state.may_run_inline.push(future.clone());
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until every ticket is dropped.
    pub(super) fn wait(&self) {
        let mut state = self.state.lock();
        // ORDERING: Acquire pairs with the Release of `Ticket::drop`: what the tasks did happens before the end.
        while self.tickets.load(Acquire) > 0 {
            match state.may_run_inline.pop() {
                Some(future) => {
                    drop(state);
                    // If it has started, another thread will end it and drop its ticket. If the stack is too small to
                    // run it, it must fail, because the scope cannot return before all tasks have ended.
                    future.run_inline_or_fail();
                    state = self.state.lock();
                }
                None => self.changed.wait(&mut state),
            }
        }
    }

    /// Keeps the first panic that no one has read. Only that one can be raised, so the others are printed.
    pub(super) fn add_unread(&self, error: Error) {
        let mut state = self.state.lock();
        if state.unread.is_none() {
            state.unread = Some(error);
            return;
        }
        drop(state);
        scoped::report_unread(&error);
    }

    pub(super) fn take_unread(&self) -> Option<Error> {
        self.state.lock().unread.take()
    }
}

impl Ticket {
    pub(super) fn new(shared: &Arc<Shared>) -> Ticket {
        // ORDERING: the holder of a ticket, or the thread that will wait, makes another one.
        shared.tickets.fetch_add(1, Relaxed);
        Ticket(shared.clone())
    }

    pub(super) fn scope(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // ORDERING: Release pairs with the Acquire in `wait`, and AcqRel makes one ticket see the others.
        if self.0.tickets.fetch_sub(1, AcqRel) == 1 {
            // The waiting thread holds the lock from its check until it waits, so it does not miss this. It may return
            // before the notification; the ticket keeps the condition variable alive.
            drop(self.0.state.lock());
            self.0.changed.notify_all();
        }
    }
}
