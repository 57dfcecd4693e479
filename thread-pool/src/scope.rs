//! Tasks that borrow from the caller.
//!
//! # Why this is sound
//!
//! A scoped closure may borrow what lives for `'scope`, and a pool only takes what lives for ever, so [`Scope::spawn`]
//! erases the lifetime; that is the only unsafe code of this crate. What makes it right:
//!
//! 1. Each closure travels with a [`Ticket`], which is dropped after the closure and everything that it captured: when
//!    it has run, panicked, been cancelled, refused, or dropped with its pool.
//! 2. [`scope`] does not return, nor unwind, before every ticket is dropped. If its own code panicked, the program
//!    would abort.
//! 3. `'scope` contains the whole call of [`scope`], for the user's closure is generic in it, so what is borrowed
//!    outlives that call; and `'scope` can neither shrink nor grow, for [`Scope`] is invariant in it.
//! 4. A result does not outlive `'scope` either: the handle has that lifetime, and the pool's share of the result is
//!    dropped before the ticket.
//!
//! A task that is never dropped keeps `scope` waiting, which is safe. The child of a fork is the exception to rule 2:
//! it has none of the threads that could run or drop the closures, and its copy of the pool is never touched again.
#![allow(unsafe_code)]

use std::{
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};

use executor_core::{Backend, Error, ErrorKind, SharedFuture, Task, TaskId, TaskOptions, task};
use parking_lot::{Condvar, Mutex};

use crate::{pool::Pool, unwind::AbortOnUnwind};

/// Starts tasks that may borrow from outside of it; see
/// [`ThreadPoolExecutor::scope`](crate::ThreadPoolExecutor::scope).
///
/// `'scope` is the time in which the tasks run: from the call of the closure until `scope` returns. `'env` is the life
/// of whatever is borrowed from outside of the scope.
pub struct Scope<'scope, 'env: 'scope> {
    pool: Arc<Pool>,
    shared: Arc<Shared>,
    /// Invariance over `'scope`, so that it cannot shrink. Otherwise a task could borrow what lives shorter than the
    /// scope:
    ///
    /// ```compile_fail,E0373
    /// # use thread_pool::ThreadPoolExecutor;
    /// # let pool = ThreadPoolExecutor::new(1)?;
    /// pool.scope(|scope| {
    ///     scope.spawn(|| {
    ///         let text = String::from("gone");
    ///         scope.spawn(|| println!("{text}")); // might run after `text` is dropped
    ///     });
    /// });
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// The handle of a task that a [`Scope`] has started.
#[must_use = "a scoped future tells how the task ended, and has its panic if it panicked"]
pub struct ScopedFuture<'scope, R> {
    /// An error: the pool did not accept it.
    accepted: Result<SharedFuture<()>, Error>,
    output: Output<R>,
    scope: PhantomData<&'scope ()>,
}

/// Where a scoped task puts its result.
type Output<R> = Arc<Mutex<Option<R>>>;

/// What the tasks of a scope and the thread that waits for them share.
struct Shared {
    state: Mutex<State>,
    /// A ticket was dropped, and it was the last; or there is a task more to help with.
    changed: Condvar,
    /// Whether the thread that waits is a worker of the pool, so that it must help with its own tasks.
    helps: bool,
}

struct State {
    tickets: usize,
    /// Tasks that may not have started. Only filled if the waiting thread helps.
    to_help: Vec<SharedFuture<()>>,
}

/// Says that a scoped closure still exists.
struct Ticket(Arc<Shared>);

/// A scoped closure on its way. Fields are dropped in this order.
struct Work<F, R> {
    closure: F,
    output: Output<R>,
    /// Dropped last: rule 1.
    _ticket: Ticket,
}

/// See [`ThreadPoolExecutor::scope`](crate::ThreadPoolExecutor::scope).
pub(crate) fn scope<'env, F, T>(pool: &Arc<Pool>, body: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let shared = Arc::new(Shared {
        state: Mutex::new(State { tickets: 0, to_help: Vec::new() }),
        changed: Condvar::new(),
        helps: task::worker_host() == pool.host(),
    });
    let scope = Scope { pool: pool.clone(), shared, scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
    let guard = AbortOnUnwind;
    if !pool.is_forked_copy() {
        scope.shared.wait();
    }
    guard.disarm();
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

impl<'scope> Scope<'scope, '_> {
    /// Runs a closure on the pool, which may borrow what outlives the scope. Waits while a bounded pool is full.
    ///
    /// A pool that does not take it any more (it was shut down, or is broken) is an error in the handle. A panic of the
    /// closure is one, too.
    pub fn spawn<F, R>(&'scope self, closure: F) -> ScopedFuture<'scope, R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        // The task is made from the erased closure, whose type says nothing.
        self.spawn_with(TaskOptions::new().name(std::any::type_name::<F>()), closure)
    }

    /// As [`spawn`](Scope::spawn), with a name or a priority.
    pub fn spawn_with<F, R>(&'scope self, options: TaskOptions, closure: F) -> ScopedFuture<'scope, R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        let output = Output::default();
        let work = Work { closure, output: output.clone(), _ticket: Ticket::new(&self.shared) };
        let erased: Box<dyn FnOnce() + Send + 'scope> = Box::new(move || work.run());
        // SAFETY: the two types differ in a lifetime only. Nothing of the box is touched after `'scope`: see "Why this
        // is sound" above.
        let erased = unsafe {
            std::mem::transmute::<Box<dyn FnOnce() + Send + 'scope>, Box<dyn FnOnce() + Send + 'static>>(erased)
        };
        let (task, future) = Task::from_closure(options, erased);
        let future = future.shared();
        let accepted = self.pool.schedule(task).map(|()| future);
        if let Ok(future) = &accepted {
            self.shared.remember(future);
        }
        ScopedFuture { accepted, output, scope: PhantomData }
    }
}

impl<R: Send> ScopedFuture<'_, R> {
    /// The id of the task. None: the pool did not accept it.
    pub fn id(&self) -> Option<TaskId> {
        self.accepted.as_ref().ok().map(SharedFuture::id)
    }

    /// As [`Future::done`](executor_core::Future::done).
    pub fn done(&self) -> bool {
        self.accepted.as_ref().map_or(true, SharedFuture::done)
    }

    /// As [`Future::running`](executor_core::Future::running).
    pub fn running(&self) -> bool {
        self.accepted.as_ref().is_ok_and(SharedFuture::running)
    }

    /// As [`Future::cancelled`](executor_core::Future::cancelled).
    pub fn cancelled(&self) -> bool {
        self.accepted.as_ref().is_ok_and(SharedFuture::cancelled)
    }

    /// As [`Future::cancel`](executor_core::Future::cancel). Also true if the pool had not accepted the task.
    pub fn cancel(&self) -> bool {
        self.accepted.as_ref().map_or(true, SharedFuture::cancel)
    }

    /// Waits for the task and moves its value out. `None` waits as long as it takes; a zero duration only looks.
    ///
    /// # Errors
    ///
    /// As [`Future::result`](executor_core::Future::result); also what kept the pool from accepting the task.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<R, Error> {
        self.accepted.as_ref().map_err(Error::clone)?.result(timeout)?;
        let value = self.output.lock().take();
        value.ok_or_else(|| {
            Error::new(ErrorKind::InvalidState, "the result of this scoped task was moved out before: keep it")
        })
    }
}

impl<F: FnOnce() -> R, R> Work<F, R> {
    fn run(self) {
        let Work { closure, output, _ticket: ticket } = self;
        // If it panics, `output` is dropped on the way, and the ticket, which was bound before them.
        let _ticket = ticket;
        let output = output;
        let value = closure();
        *output.lock() = Some(value);
        drop(output);
    }
}

impl Shared {
    /// Keeps a handle of a task, if the thread that waits for it may have to run it.
    fn remember(&self, future: &SharedFuture<()>) {
        if !self.helps {
            return;
        }
        let mut state = self.state.lock();
        if state.to_help.len() == state.to_help.capacity() {
            state.to_help.retain(|future| !future.done());
        }
        state.to_help.push(future.clone());
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until every ticket is dropped.
    fn wait(&self) {
        let mut state = self.state.lock();
        while state.tickets > 0 {
            match state.to_help.pop() {
                Some(future) => {
                    drop(state);
                    // If it has started, another thread will end it, and drop its ticket. The scope cannot return
                    // before all have ended, so one that there is no stack for fails.
                    future.run_inline_or_fail();
                    state = self.state.lock();
                }
                None => self.changed.wait(&mut state),
            }
        }
    }
}

impl Ticket {
    fn new(shared: &Arc<Shared>) -> Ticket {
        shared.state.lock().tickets += 1;
        Ticket(shared.clone())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.tickets -= 1;
        let last = state.tickets == 0;
        drop(state);
        // The waiting thread may return at once; what is notified is kept alive by the ticket.
        if last {
            self.0.changed.notify_all();
        }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("pool", &self.pool.name).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for ScopedFuture<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedFuture").field(&self.accepted).finish()
    }
}
