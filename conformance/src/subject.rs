//! Executors under test, which the watchdog observes and their own tasks can reach.

use std::{
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use executor_core::{Backend, Error, Executor, Shutdown, Task};
use serde::{Deserialize, Serialize};

use crate::registry::Registry;

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
    pub(crate) fn new(backend: Box<dyn Backend>, registry: Arc<Registry>) -> Subject {
        Subject { inner: Some(Arc::new(Watched { backend, registry })) }
    }

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
            assert!(!ended(), "{call} returned although it must wait");
            thread::yield_now();
        }
    }

    /// Gives the executor an address, by which tasks in this process find it until the guard is dropped.
    pub fn address_guard(&self) -> AddressGuard {
        AddressGuard::new(self.watched())
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

    /// Gives the executor an address. See [`Subject::address_guard`].
    pub fn address_guard(&self) -> AddressGuard {
        AddressGuard::new(&self.0)
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
    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let _call = self.registry.enter("poll_room".to_string());
        self.backend.poll_room(task, context)
    }
    fn give_up_room(&self, task: &Task) {
        let _call = self.registry.enter("give_up_room".to_string());
        self.backend.give_up_room(task);
    }
}

/// An argument by which a task finds an executor, such as the one that runs it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Address(u64);

/// Keeps the [`Address`] of an executor valid.
#[derive(Debug)]
pub struct AddressGuard(u64);

/// The executors that have an address.
static ADDRESSED: Mutex<Option<HashMap<u64, Weak<Watched>>>> = Mutex::new(None);

impl AddressGuard {
    fn new(watched: &Arc<Watched>) -> AddressGuard {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let key = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut addressed = ADDRESSED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        addressed.get_or_insert_default().insert(key, Arc::downgrade(watched));
        AddressGuard(key)
    }

    /// Returns the address, which can be passed to tasks.
    pub fn address(&self) -> Address {
        Address(self.0)
    }
}

impl Drop for AddressGuard {
    fn drop(&mut self) {
        let mut addressed = ADDRESSED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        addressed.get_or_insert_default().remove(&self.0);
    }
}

impl Address {
    /// Returns the executor.
    ///
    /// # Panics
    ///
    /// Panics if the executor was dropped, or belongs to another process.
    pub fn executor(self) -> Arc<dyn Backend> {
        let addressed = ADDRESSED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let found = addressed.as_ref().and_then(|addressed| addressed.get(&self.0)).and_then(Weak::upgrade);
        found.expect("the rule keeps the executor alive while its tasks use its address")
    }
}
