//! What the tasks of a scope and the thread that waits for them share.

#![allow(unsafe_code)]

use std::{
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::*},
    },
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

/// Exists as long as a scoped closure. The scope does not end before, so its `Shared` lives as long as this.
pub(super) struct Ticket(NonNull<Shared>);

// SAFETY: it is a shared reference to a `Shared`, which is `Sync`.
unsafe impl Send for Ticket {}

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
    /// # Safety
    ///
    /// - The caller waits until all tickets are dropped, before it drops its reference to `shared`.
    pub(super) unsafe fn new(shared: &Arc<Shared>) -> Ticket {
        // ORDERING: the holder of a ticket, or the thread that will wait, makes another one.
        shared.tickets.fetch_add(1, Relaxed);
        Ticket(NonNull::from(&**shared))
    }

    pub(super) fn scope(&self) -> Arc<Shared> {
        // SAFETY: the pointer is that of an `Arc`, which lives as long as this ticket.
        unsafe {
            Arc::increment_strong_count(self.0.as_ptr());
            Arc::from_raw(self.0.as_ptr())
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // SAFETY: the scope waits for this ticket. It sees that this is dropped only after the last access here: the
        // decrement, or the unlock if this is the last ticket.
        let shared = unsafe { self.0.as_ref() };
        let is_not_last = |tickets| if tickets > 1 { Some(tickets - 1) } else { None };
        // ORDERING: Release pairs with the Acquire in `wait`.
        if shared.tickets.fetch_update(Release, Relaxed, is_not_last).is_err() {
            let _state = shared.state.lock();
            // Another ticket may have been made meanwhile.
            if shared.tickets.fetch_sub(1, Release) == 1 {
                shared.changed.notify_all();
            }
        }
    }
}
