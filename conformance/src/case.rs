//! What a rule works with: executors that are watched, gates, and futures that the watchdog can describe.

use std::{
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, Weak},
    thread,
    time::Duration,
};

use executor_core::{Backend, Error, Executor, Function, Future, Payload, Shutdown, Task};
use serde::{Deserialize, Serialize};

use crate::{Capabilities, Gate, Harness, Setup, watchdog::Registry};

/// One run of one rule on one back-end.
pub struct Case {
    harness: Arc<dyn Harness>,
    registry: Arc<Registry>,
    patience: Duration,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("harness", &self.harness.name()).field("patience", &self.patience).finish()
    }
}

impl Case {
    pub(crate) fn new(harness: Arc<dyn Harness>, registry: Arc<Registry>, patience: Duration) -> Case {
        Case { harness, registry, patience }
    }

    /// What the back-end promised.
    pub fn can(&self) -> Capabilities {
        self.harness.capabilities()
    }

    /// How long to wait for what ought to happen soon. Long enough for a busy machine.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// An executor with this many workers.
    pub fn executor(&self, workers: usize) -> Subject {
        self.executor_with(&Setup::workers(workers))
    }

    /// An executor as `setup` says.
    pub fn executor_with(&self, setup: &Setup) -> Subject {
        let backend =
            self.harness.executor(setup).unwrap_or_else(|error| panic!("no executor with {setup:?}: {error}"));
        let inner = Arc::new(Watched { backend, registry: Arc::clone(&self.registry) });
        Subject { inner: Some(inner) }
    }

    /// A gate that is opened when the rule hangs or fails, so that its tasks can end.
    pub fn gate(&self, name: &str) -> Gate {
        let gate = Gate::new(name, self.patience);
        self.registry.add_gate(gate.watch());
        gate
    }

    /// Lets the watchdog see this future, for as long as it is held.
    pub fn track<T: Send + 'static>(&self, label: impl Into<String>, future: Future<T>) -> Tracked<T> {
        let future = Arc::new(future);
        let weak = Arc::downgrade(&future);
        let entry = self.registry.add_task(
            label.into(),
            Box::new(move || match weak.upgrade() {
                Some(future) => format!("{future:?}"),
                None => "between two hands".to_string(),
            }),
        );
        Tracked { future: Some(future), registry: Arc::clone(&self.registry), entry }
    }

    /// Submits, and lets the watchdog see the future.
    ///
    /// # Panics
    ///
    /// Where the executor refuses the task.
    pub fn submit<F, A, R>(&self, executor: &Subject, label: impl Into<String>, function: F, args: A) -> Tracked<R>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        let label = label.into();
        match executor.submit(function, args) {
            Ok(future) => self.track(label, future),
            Err(error) => panic!("submit of `{label}` was refused: {error}"),
        }
    }

    /// The value of a task that ought to succeed soon.
    ///
    /// # Panics
    ///
    /// Where it fails, or is not done in time.
    pub fn value<T: Send + 'static>(&self, future: &Future<T>) -> T {
        match future.result(self.patience) {
            Ok(value) => value,
            Err(error) => panic!("a task that ought to succeed did not: {error} ({:?}; {future:?})", error.kind()),
        }
    }

    /// The error of a task that ought to fail soon, by any way of failing.
    ///
    /// # Panics
    ///
    /// Where it succeeds, or is not done in time.
    pub fn failure<T: Send + 'static>(&self, future: &Future<T>) -> Error {
        let error = match future.result(self.patience) {
            Ok(_) => panic!("a task that ought to fail succeeded: {future:?}"),
            Err(error) => error,
        };
        assert!(future.done(), "a task that ought to fail is not done in time: {error} ({future:?})");
        error
    }

    /// Runs something on a thread of its own and waits for it, but not for ever.
    ///
    /// # Panics
    ///
    /// Where it panics, or is not done in time.
    pub fn soon<R: Send + 'static>(&self, what: &str, code: impl FnOnce() -> R + Send + 'static) -> R {
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::Builder::new()
            .name(format!("soon-{what}"))
            .spawn(move || {
                let _ = sender.send(code());
            })
            .expect("a thread can be started");
        match receiver.recv_timeout(self.patience) {
            Ok(value) => {
                let _ = thread.join();
                value
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                panic!("{what} took longer than {:?}", self.patience)
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => panic!("{what} panicked"),
        }
    }
}

/// A future that the watchdog can describe while a rule holds it.
pub struct Tracked<T: Send + 'static> {
    /// None once it was given to a call.
    future: Option<Arc<Future<T>>>,
    registry: Arc<Registry>,
    entry: usize,
}

impl<T: Send + 'static> Tracked<T> {
    /// The future itself, for the calls that take it. The watchdog then only knows what it was given to.
    pub fn into_future(mut self) -> Future<T> {
        let mut future = self.future.take().expect("it is taken out once");
        self.registry.note_task(self.entry, format!("{future:?}, then given to a call"));
        loop {
            // The watchdog holds it only while it describes it.
            match Arc::try_unwrap(future) {
                Ok(future) => return future,
                Err(shared) => future = shared,
            }
            thread::yield_now();
        }
    }
}

impl<T: Send + 'static> Deref for Tracked<T> {
    type Target = Future<T>;

    fn deref(&self) -> &Future<T> {
        self.future.as_ref().expect("only `into_future` takes it out")
    }
}

impl<T: Send + 'static> Drop for Tracked<T> {
    fn drop(&mut self) {
        if let Some(future) = &self.future {
            self.registry.note_task(self.entry, format!("{future:?}, then dropped by the rule"));
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Tracked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// An executor under test. What is called on it is noted for the watchdog.
///
/// When it is dropped it is shut down once more, whatever the rule did to it before: that must always be safe.
#[derive(Debug)]
pub struct Subject {
    inner: Option<Arc<Watched>>,
}

struct Watched {
    backend: Box<dyn Backend>,
    registry: Arc<Registry>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl Subject {
    fn watched(&self) -> &Arc<Watched> {
        self.inner.as_ref().expect("only `Drop` and `bare` take it out")
    }

    /// The executor without the last `shutdown`, for rules about dropping. Dropping it drops the back-end.
    pub fn bare(mut self) -> Bare {
        Bare(self.inner.take().expect("it is taken out once"))
    }

    /// Waits until this call on it is in progress.
    ///
    /// # Panics
    ///
    /// When `ended` says that it came and went.
    pub(crate) fn wait_inside(&self, call: &str, ended: impl Fn() -> bool) {
        let registry = &self.watched().registry;
        while registry.calls_in_progress(call) == 0 {
            assert!(!ended(), "{call} has returned, although it was to wait");
            thread::yield_now();
        }
    }

    /// Makes the executor reachable from its own tasks, as long as the `Home` lives. Only in this process.
    pub fn home(&self) -> Home {
        Home::of(self.watched())
    }
}

impl Deref for Subject {
    type Target = dyn Backend;

    fn deref(&self) -> &(dyn Backend + 'static) {
        &**self.watched()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        if thread::panicking() {
            // The rule has failed already. Its tasks are let go, so that the executor can go too.
            inner.registry.open_gates();
        }
        inner.shutdown(Shutdown::Drain);
    }
}

/// See [`Subject::bare`].
#[derive(Debug)]
pub struct Bare(Arc<Watched>);

impl Bare {
    /// Answers a function that waits until its drop is in progress, and panics when it was told that the drop has
    /// ended.
    pub(crate) fn drop_watch(&self) -> impl Fn(&dyn Fn() -> bool) + Send + use<> {
        let registry = Arc::clone(&self.0.registry);
        move |ended| {
            while registry.calls_in_progress(DROP) == 0 {
                assert!(!ended(), "the drop of the executor returned, although a task runs");
                thread::yield_now();
            }
        }
    }

    /// See [`Subject::home`].
    pub fn home(&self) -> Home {
        Home::of(&self.0)
    }
}

impl Deref for Bare {
    type Target = dyn Backend;

    fn deref(&self) -> &(dyn Backend + 'static) {
        &*self.0
    }
}

const DROP: &str = "drop of the executor";

impl Drop for Watched {
    fn drop(&mut self) {
        if thread::panicking() {
            self.registry.open_gates();
        }
        let _call = self.registry.enter(DROP.to_string());
        // Dropped here, so that a drop that hangs is a call in progress.
        self.backend = Box::new(Gone);
    }
}

/// What a dropped executor leaves behind for the rest of the drop.
struct Gone;

impl Backend for Gone {
    fn schedule(&self, _: Task) -> Result<(), Error> {
        unreachable!("the executor is being dropped")
    }
    fn close(&self, _: Shutdown) {}
    fn join(&self, _: Option<Duration>) -> bool {
        true
    }
    fn max_workers(&self) -> usize {
        0
    }
}

impl Backend for Watched {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        let _call = self.registry.enter("schedule".to_string());
        self.backend.schedule(task)
    }
    fn close(&self, mode: Shutdown) {
        let _call = self.registry.enter(format!("close({mode:?})"));
        self.backend.close(mode);
    }
    fn join(&self, timeout: Option<Duration>) -> bool {
        let _call = self.registry.enter(format!("join({timeout:?})"));
        self.backend.join(timeout)
    }
    fn max_workers(&self) -> usize {
        self.backend.max_workers()
    }
    fn handle(&self) -> Option<Arc<dyn Backend>> {
        self.backend.handle()
    }
}

/// An argument by which a task finds the executor that runs it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Address(u64);

/// Keeps an executor reachable through its [`Address`].
#[derive(Debug)]
pub struct Home(u64);

static HOMES: Mutex<Option<HashMap<u64, Weak<Watched>>>> = Mutex::new(None);

impl Home {
    fn of(watched: &Arc<Watched>) -> Home {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let key = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut homes = HOMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        homes.get_or_insert_default().insert(key, Arc::downgrade(watched));
        Home(key)
    }

    /// What tasks need to find it.
    pub fn address(&self) -> Address {
        Address(self.0)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let mut homes = HOMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        homes.get_or_insert_default().remove(&self.0);
    }
}

impl Address {
    /// The executor.
    ///
    /// # Panics
    ///
    /// Where it is gone, or lives in another process.
    pub fn executor(self) -> Arc<dyn Backend> {
        let homes = HOMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let found = homes.as_ref().and_then(|homes| homes.get(&self.0)).and_then(Weak::upgrade);
        found.expect("the rule keeps the executor alive while its tasks ask for it")
    }
}
