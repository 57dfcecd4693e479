//! Tasks that borrow from the caller.
//!
//! # Why this is sound
//!
//! A scoped closure may borrow what lives for `'scope`, but a pool only takes `'static` tasks. So [`Scope::spawn`]
//! makes a task that pretends to be. Four rules make it sound:
//!
//! 1. Each closure is stored beside a [`Ticket`], which is dropped after the closure and everything that it captured:
//!    when it has run or panicked, was cancelled or refused, or is dropped with its pool.
//! 2. [`scope`] neither returns nor unwinds before every ticket is dropped. If its own code panics, the program aborts.
//! 3. `'scope` contains the whole call of [`scope`], because the user's closure is generic over it. So borrowed values
//!    outlive that call. `'scope` can neither shrink nor grow, because [`Scope`] is invariant in it.
//! 4. A result does not outlive `'scope` either: the handle has that lifetime, and the pool's share of the result is
//!    dropped before the ticket.
//!
//! A task that is never dropped blocks `scope` forever, which is safe. The child of a fork is an exception to rule 2:
//! it has none of the threads that could run or drop the closures, and never touches its copy of the pool again.
#![allow(unsafe_code)]

mod collect;
mod future;
mod parallel;
mod shared;
mod target;

pub use future::ScopedFuture;
pub(crate) use target::Target;

use std::{
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    sync::Arc,
};

use executor_core::{Error, TaskOptions, scoped};

use crate::unwind::AbortOnUnwind;
use future::Slot;
use shared::{Shared, Ticket};

/// Spawns tasks that may borrow from outside of the scope; see
/// [`ThreadPoolExecutor::scope`](crate::ThreadPoolExecutor::scope).
///
/// `'scope` is the lifetime in which the tasks run: from the call of the closure until `scope` returns. `'env` is the
/// lifetime of the values that are borrowed from outside of the scope.
pub struct Scope<'scope, 'env: 'scope> {
    target: Target,
    shared: Arc<Shared>,
    /// Makes `Scope` invariant in `'scope`, so that `'scope` cannot shrink. Otherwise a task could borrow a value that
    /// does not outlive the scope:
    ///
    /// ```compile_fail,E0373
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::new(1)?;
    /// pool.scope(|scope| {
    ///     scope.spawn(|| {
    ///         let text = String::from("gone");
    ///         scope.spawn(|| println!("{text}")); // might run after `text` is dropped
    ///     });
    /// });
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// A scoped closure in the pool. Its fields are dropped in this order.
struct Work<F, R> {
    closure: F,
    slot: Arc<Slot<R>>,
    /// It is dropped last, by rule 1.
    ticket: Ticket,
}

/// Implements [`ThreadPoolExecutor::scope`](crate::ThreadPoolExecutor::scope).
#[track_caller]
pub(crate) fn scope<'env, F, T>(target: &Target, body: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let shared = Shared::new(target.has_current_thread());
    let scope = Scope { target: target.clone(), shared, scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
    let guard = AbortOnUnwind;
    if !target.is_forked_copy() {
        scope.shared.wait();
    }
    guard.disarm();
    match (result, scope.shared.take_unread()) {
        (Ok(value), None) => value,
        (Ok(_), Some(unread)) => raise(&unread),
        (Err(panic), unread) => {
            unread.iter().for_each(scoped::report_unread);
            resume_unwind(panic)
        }
    }
}

/// Panics with the panic of a task.
#[track_caller]
fn raise(error: &Error) -> ! {
    panic_any(error.to_string())
}

impl<'scope> Scope<'scope, '_> {
    /// Runs a closure on the pool. It may borrow values that outlive the scope. Blocks while a bounded queue is full.
    ///
    /// If the pool refuses the task because it is shut down or broken, the handle contains the error.
    ///
    /// If the closure panics, [`result`](ScopedFuture::result) returns the panic. If no one has read it there, the
    /// scope raises it at its end.
    pub fn spawn<F, R>(&'scope self, closure: F) -> ScopedFuture<'scope, R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        self.spawn_with(TaskOptions::new(), closure)
    }

    /// Runs a closure like [`spawn`](Scope::spawn), with a name or a priority.
    pub fn spawn_with<F, R>(&'scope self, options: TaskOptions, closure: F) -> ScopedFuture<'scope, R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        let slot = Slot::new();
        // SAFETY: the scope waits for all tickets.
        let ticket = unsafe { Ticket::new(&self.shared) };
        let work = Work { closure, slot: slot.clone(), ticket };
        // SAFETY: the scope does not end before the closure is run or dropped, by the rules in "Why this is sound".
        let (task, future) = unsafe { scoped::task::<F, _>(options, move || work.run()) };
        let future = future.shared();
        let accepted = self.target.schedule(task).map(|()| future);
        if let Ok(future) = &accepted {
            self.shared.remember(future);
        }
        ScopedFuture::new(accepted, slot)
    }
}

impl<F: FnOnce() -> R, R> Work<F, R> {
    fn run(self) -> Result<(), Error> {
        let Work { closure, slot, ticket } = self;
        // If dropping the value panics, variables are dropped in the reverse order of their binding, so the ticket is
        // last.
        let ticket = ticket;
        let slot = slot;
        let result = slot.store(scoped::catch(closure), &ticket);
        drop(slot);
        result
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("pool", &self.target.name()).finish_non_exhaustive()
    }
}
