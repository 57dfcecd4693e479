//! What a rule works with: observed executors, gates, and futures that the watchdog can describe.

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

/// One run of one rule on one back-end. A rule creates its executors, gates and futures through it.
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

    /// Returns the capabilities that the back-end declares.
    pub fn can(&self) -> Capabilities {
        self.harness.capabilities()
    }

    /// Returns how long to wait for a single event. It is long enough for a busy machine.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Creates an executor with this many workers.
    pub fn executor(&self, workers: usize) -> Subject {
        self.executor_with(&Setup::workers(workers))
    }

    /// Creates an executor with this setup.
    ///
    /// # Panics
    ///
    /// Panics if the back-end cannot create it.
    pub fn executor_with(&self, setup: &Setup) -> Subject {
        let backend = self
            .harness
            .executor(setup)
            .unwrap_or_else(|error| panic!("the back-end created no executor with {setup:?}: {error}"));
        let inner = Arc::new(Watched { backend, registry: Arc::clone(&self.registry) });
        Subject { inner: Some(inner) }
    }

    /// Creates a gate that is opened if the rule hangs or fails, so that its tasks can end.
    pub fn gate(&self, name: &str) -> Gate {
        let gate = Gate::new(name, self.patience);
        self.registry.add_gate(gate.watch());
        gate
    }

    /// Registers a future with the watchdog until it is dropped.
    pub fn track<T: Send + 'static>(&self, label: impl Into<String>, future: Future<T>) -> Tracked<T> {
        let future = Arc::new(future);
        let weak = Arc::downgrade(&future);
        let entry = self.registry.add_task(
            label.into(),
            Box::new(move || match weak.upgrade() {
                Some(future) => format!("{future:?}"),
                None => "passed to a call".to_string(),
            }),
        );
        Tracked { future: Some(future), registry: Arc::clone(&self.registry), entry }
    }

    /// Submits a task, and registers its future with the watchdog.
    ///
    /// # Panics
    ///
    /// Panics if the executor refuses the task.
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

    /// Waits for the value of a task that must succeed.
    ///
    /// # Panics
    ///
    /// Panics if the task fails, or is not done in time.
    pub fn value<T: Send + 'static>(&self, future: &Future<T>) -> T {
        match future.result(self.patience) {
            Ok(value) => value,
            Err(error) => panic!("a task that should succeed did not: {error} ({:?}; {future:?})", error.kind()),
        }
    }

    /// Waits for the error of a task that must fail in any way.
    ///
    /// # Panics
    ///
    /// Panics if the task succeeds, or is not done in time.
    pub fn failure<T: Send + 'static>(&self, future: &Future<T>) -> Error {
        let error = match future.result(self.patience) {
            Ok(_) => panic!("a task that should fail succeeded: {future:?}"),
            Err(error) => error,
        };
        assert!(future.done(), "a task that should fail is not done in time: {error} ({future:?})");
        error
    }

    /// Runs `code` on a new thread and waits for its result.
    ///
    /// # Panics
    ///
    /// Panics if `code` panics, or does not end in time.
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
    /// The future, or `None` after `into_future`.
    future: Option<Arc<Future<T>>>,
    registry: Arc<Registry>,
    entry: usize,
}

impl<T: Send + 'static> Tracked<T> {
    /// Returns the future itself, for calls that take it by value. The watchdog can no longer describe it then.
    pub fn into_future(mut self) -> Future<T> {
        let mut future = self.future.take().expect("it is taken out once");
        self.registry.note_task(self.entry, format!("{future:?}, then passed to a call"));
        loop {
            // The watchdog holds a reference only while it describes the future.
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

/// An executor under test, whose calls are registered with the watchdog.
///
/// Dropping it shuts the executor down once more, because a further shutdown must always be safe.
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

    /// Returns the executor without the final `shutdown`, for rules about dropping. Dropping it only drops the
    /// back-end.
    pub fn bare(mut self) -> Bare {
        Bare(self.inner.take().expect("it is taken out once"))
    }

    /// Waits until a call with this name is in progress on the executor.
    ///
    /// # Panics
    ///
    /// Panics if `ended` returns true, which means that the call has already returned.
    pub(crate) fn wait_inside(&self, call: &str, ended: impl Fn() -> bool) {
        let registry = &self.watched().registry;
        while registry.calls_in_progress(call) == 0 {
            assert!(!ended(), "{call} returned although it had to wait");
            thread::yield_now();
        }
    }

    /// Makes the executor reachable from its own tasks in this process, until the `Home` is dropped.
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
            // The rule has already failed. Its tasks must end, so that the executor can be shut down.
            inner.registry.open_gates();
        }
        inner.shutdown(Shutdown::Drain);
    }
}

/// An executor under test that is not shut down before it is dropped. See [`Subject::bare`].
#[derive(Debug)]
pub struct Bare(Arc<Watched>);

impl Bare {
    /// Returns a function that waits until the drop of the executor is in progress. It panics if its argument returns
    /// true, which means that the drop has already ended.
    pub(crate) fn drop_watch(&self) -> impl Fn(&dyn Fn() -> bool) + Send + use<> {
        let registry = Arc::clone(&self.0.registry);
        move |ended| {
            while registry.calls_in_progress(DROP) == 0 {
                assert!(!ended(), "the drop of the executor returned although a task was running");
                thread::yield_now();
            }
        }
    }

    /// Makes the executor reachable from its own tasks. See [`Subject::home`].
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
        // The back-end is dropped here, so that a drop that hangs is reported as a call in progress.
        self.backend = Box::new(Gone);
    }
}

/// Takes the place of the back-end after it was dropped.
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

/// An argument with which a task finds the executor that runs it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Address(u64);

/// Keeps an executor reachable by its [`Address`].
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

    /// Returns the address, which can be passed to tasks.
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
    /// Returns the executor.
    ///
    /// # Panics
    ///
    /// Panics if the executor was dropped, or belongs to another process.
    pub fn executor(self) -> Arc<dyn Backend> {
        let homes = HOMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let found = homes.as_ref().and_then(|homes| homes.get(&self.0)).and_then(Weak::upgrade);
        found.expect("the rule keeps the executor alive while its tasks use its address")
    }
}
