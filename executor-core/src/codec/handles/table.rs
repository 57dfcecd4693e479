//! The handles that live in this process, by name.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};
#[cfg(unix)]
use std::{
    hash::{BuildHasher, RandomState},
    os::fd::OwnedFd,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;

use super::{Handle, Name, Shared};
use crate::fork;

/// One handle of this process.
struct Entry {
    alive: Weak<Shared>,
    /// The handle itself, if another process may name it at any time.
    kept: Option<Handle>,
}

/// No handle may be dropped while the lock is held, because its `Drop` takes the lock.
static TABLE: fork::Own<Mutex<HashMap<Name, Entry>>> = fork::Own::new();

/// Returns the handle with this name, if it lives in this process.
pub fn find(name: Name) -> Option<Handle> {
    let table = TABLE.get().lock();
    table.get(&name)?.alive.upgrade().map(Handle)
}

/// Keeps a handle, because values that name it will arrive, until [`forget`]. A worker does this with what its parent
/// sends.
pub fn adopt(handle: Handle) {
    let name = handle.name();
    let entry = Entry { alive: Arc::downgrade(&handle.0), kept: Some(handle) };
    let before = TABLE.get().lock().insert(name, entry);
    drop(before);
}

/// Undoes [`adopt`]. The handle lives on in the values that have it.
pub fn forget(name: Name) {
    let mut table = TABLE.get().lock();
    let kept = table.get_mut(&name).and_then(|entry| entry.kept.take());
    drop(table);
    drop(kept);
}

/// Enters a handle of this name, or returns the one that lives in this process and closes the descriptor.
#[cfg(unix)]
pub(super) fn add(name: Name, file: OwnedFd) -> Handle {
    static INSTANCES: AtomicU64 = AtomicU64::new(1);
    // ORDERING: the counter only has to give different numbers.
    let instance = INSTANCES.fetch_add(1, Relaxed);
    let fresh = Arc::new(Shared { name, instance, file, watchers: Mutex::default() });
    let mut table = TABLE.get().lock();
    let alive = table.get(&name).and_then(|entry| entry.alive.upgrade());
    if alive.is_none() {
        // The entry that this replaces keeps nothing, because its handle is dead.
        table.insert(name, Entry { alive: Arc::downgrade(&fresh), kept: None });
    }
    drop(table);
    Handle(alive.unwrap_or(fresh))
}

/// Removes the entry of a handle whose last clone is dropped, unless another handle has the name by now.
pub(super) fn remove(name: Name, dropped: &Shared) {
    let mut table = TABLE.get().lock();
    if table.get(&name).is_some_and(|entry| std::ptr::eq(entry.alive.as_ptr(), dropped)) {
        let entry = table.remove(&name);
        drop(table);
        // It keeps nothing, because `dropped` was the last clone.
        drop(entry);
    }
}

/// Returns a name that no other process can guess: a hash with a random key of this process, and a counter.
#[cfg(unix)]
pub(super) fn fresh_name() -> Name {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(1);
    // ORDERING: the counter only has to give different numbers.
    let count = COUNT.fetch_add(1, Relaxed);
    // A forked child has the same key and the same counter.
    let hash = KEY.get_or_init(RandomState::new).hash_one((std::process::id(), count));
    let mut name = Name::default();
    name[..8].copy_from_slice(&hash.to_le_bytes());
    name[8..].copy_from_slice(&(count as u32).to_le_bytes());
    name
}
