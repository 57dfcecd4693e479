//! What this process has made of the files of constant objects, so that each is made once, however often its handle
//! arrives.
//!
//! The table itself keeps nothing alive. Handles do, and in a worker also the file, until the parent has dropped its
//! last handle.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Weak},
    thread::{self, ThreadId},
    time::Duration,
};

use executor_core::{
    Error, ErrorKind,
    codec::handles::{self, Name},
    fork::{self, Generation},
};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::sys::{self, File};

enum Slot {
    /// This thread is making it. In a child that was forked meanwhile, no thread is.
    Making(ThreadId, Generation),
    Made(Weak<dyn Any + Send + Sync>),
}

static SLOTS: Mutex<Option<HashMap<Name, Slot>>> = Mutex::new(None);
/// Is notified when a slot is not [`Slot::Making`] any more.
static CHANGED: Condvar = Condvar::new();

/// The lock is held for a look. In a forked child it may be held forever.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

type Slots = MutexGuard<'static, Option<HashMap<Name, Slot>>>;

fn slots() -> Option<Slots> {
    SLOTS.try_lock_for(LONGEST_WAIT)
}

/// Returns what this process has made of the file with this name. Returns `None` if it has made nothing, or not yet,
/// and `Some(None)` instead of an object of another type.
///
/// A worker receives the same object with one task after the other. So this looks neither for the file nor at the
/// thread, which only a thread that makes the object needs.
pub(super) fn find<V: Any + Send + Sync>(name: Option<Name>) -> Option<Option<Arc<V>>> {
    let slots = slots()?;
    let Some(Slot::Made(made)) = slots.as_ref()?.get(&name?) else { return None };
    let made = made.upgrade()?;
    drop(slots);
    Some(made.downcast().ok())
}

/// Returns what this process has of a file, or makes it. Another thread that is making it is waited for. Returns `None`
/// instead of an object of another type.
pub(super) fn get_or_make<V: Any + Send + Sync>(
    file: &File,
    make: impl FnOnce() -> Result<V, Error>,
) -> Result<Option<Arc<V>>, Error> {
    let Some(name) = sys::name_of(file) else { return make().map(|made| Some(Arc::new(made))) };
    let forked = || Error::new(ErrorKind::Broken, "this process was forked while another thread received an object");
    let this_thread = thread::current().id();
    let mut slots = slots().ok_or_else(forked)?;
    loop {
        match slots.get_or_insert_default().get(&name) {
            Some(Slot::Made(made)) => {
                let Some(made) = made.upgrade() else { break };
                drop(slots);
                return Ok(made.downcast().ok());
            }
            // The thread that is making it may receive it again meanwhile, and makes a second one then.
            Some(Slot::Making(thread, born)) if *thread != this_thread && *born == fork::generation() => {
                CHANGED.wait(&mut slots);
            }
            _ => break,
        }
    }
    slots.get_or_insert_default().insert(name, Slot::Making(this_thread, fork::generation()));
    drop(slots);
    let making = Making(name);
    let made = Arc::new(make()?);
    handles::keep(name, made.clone());
    remember(file, &made);
    drop(making);
    Ok(Some(made))
}

/// Enters what this process has made.
pub(super) fn remember<V: Any + Send + Sync>(file: &File, made: &Arc<V>) {
    let Some(name) = sys::name_of(file) else { return };
    let made: Arc<dyn Any + Send + Sync> = made.clone();
    if let Some(mut slots) = slots() {
        slots.get_or_insert_default().insert(name, Slot::Made(Arc::downgrade(&made)));
    }
}

/// Removes the slot if nothing was made, and wakes the threads that wait for it.
struct Making(Name);

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(mut slots) = slots() {
            let slots = slots.get_or_insert_default();
            if matches!(slots.get(&self.0), Some(Slot::Making(..))) {
                slots.remove(&self.0);
            }
        }
        CHANGED.notify_all();
    }
}

/// Is a part of what is made, and removes its slot when that is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    name: Option<Name>,
    born: Generation,
}

impl Registration {
    pub(super) fn of(file: &File) -> Registration {
        Registration { name: sys::name_of(file), born: fork::generation() }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Some(name) = self.name.filter(|_| self.born == fork::generation()) else { return };
        if let Some(mut slots) = slots() {
            let slots = slots.get_or_insert_default();
            // Another may have been made since.
            if matches!(slots.get(&name), Some(Slot::Made(made)) if made.strong_count() == 0) {
                slots.remove(&name);
            }
        }
    }
}
