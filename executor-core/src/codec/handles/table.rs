//! The handles that live in this process, by name.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    fmt,
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
use crate::{catch, fork};

/// One handle of this process.
struct Entry {
    alive: Weak<Shared>,
    /// The handle itself, if another process may name it at any time.
    kept: Option<Kept>,
}

/// A handle that was adopted, and what was made of it.
struct Kept {
    handle: Handle,
    made: Vec<Arc<dyn Any + Send + Sync>>,
}

impl Kept {
    /// Drops it. What was made of the handle may be a value of a user, whose `Drop` may panic.
    fn release(self) {
        drop(self.handle);
        self.made.into_iter().for_each(catch::drop_contained);
    }
}

#[derive(Default)]
struct Table {
    entries: HashMap<Name, Entry>,
    /// The names whose descriptors could not be received.
    lost: HashSet<Name>,
}

/// No handle may be dropped while the lock is held, because its `Drop` takes the lock.
static TABLE: fork::Own<Mutex<Table>> = fork::Own::new();

/// Why a name that has arrived has no handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// Its descriptor was not sent, or the handle is gone by now.
    NotSent,
    /// Its descriptor was sent, and this process had too many.
    NoDescriptors,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::NotSent => "the descriptor of a handle did not arrive with its name",
            Missing::NoDescriptors => {
                "the descriptor of a handle could not be received, because this process has as many as it may: raise \
                 the limit of descriptors (`ulimit -n`)"
            }
        })
    }
}

impl std::error::Error for Missing {}

/// Returns the handle with this name, if it lives in this process.
pub fn find(name: Name) -> Option<Handle> {
    resolve(name).ok()
}

/// Returns the handle with this name, as [`find`] does.
///
/// # Errors
///
/// Returns the reason why there is none.
pub fn resolve(name: Name) -> Result<Handle, Missing> {
    let table = TABLE.get().lock();
    match table.entries.get(&name).and_then(|entry| entry.alive.upgrade()) {
        Some(alive) => Ok(Handle(alive)),
        None if table.lost.contains(&name) => Err(Missing::NoDescriptors),
        None => Err(Missing::NotSent),
    }
}

/// Records that the descriptor of this name was sent and could not be received, until [`forget`] or [`adopt`].
pub fn lose(name: Name) {
    TABLE.get().lock().lost.insert(name);
}

/// Keeps a handle, because values that name it will arrive, until [`forget`]. A worker does this with what its parent
/// sends.
pub fn adopt(handle: Handle) {
    let name = handle.name();
    let alive = Arc::downgrade(&handle.0);
    let entry = Entry { alive, kept: Some(Kept { handle, made: Vec::new() }) };
    let mut table = TABLE.get().lock();
    table.lost.remove(&name);
    let before = table.entries.insert(name, entry);
    drop(table);
    if let Some(kept) = before.and_then(|entry| entry.kept) {
        kept.release();
    }
}

/// Keeps what was made of a handle, such as the value that lies in its file, until the handle is
/// [forgotten](forget). Returns `false`, and drops it, if the handle was not [adopted](adopt).
///
/// So a value that many tasks of a worker receive is made once, and is dropped when the parent has dropped its last
/// handle.
pub fn keep(name: Name, made: Arc<dyn Any + Send + Sync>) -> bool {
    let mut table = TABLE.get().lock();
    let kept = table.entries.get_mut(&name).and_then(|entry| entry.kept.as_mut());
    match kept {
        Some(kept) => {
            kept.made.push(made);
            true
        }
        None => {
            drop(table);
            drop(made);
            false
        }
    }
}

/// Undoes [`adopt`]. The handle lives on in the values that have it.
pub fn forget(name: Name) {
    let mut table = TABLE.get().lock();
    table.lost.remove(&name);
    let kept = table.entries.get_mut(&name).and_then(|entry| entry.kept.take());
    drop(table);
    if let Some(kept) = kept {
        kept.release();
    }
}

/// Enters a handle of this name, or returns the one that lives in this process and closes the descriptor.
#[cfg(unix)]
pub(super) fn add(name: Name, file: OwnedFd) -> Handle {
    static INSTANCES: AtomicU64 = AtomicU64::new(1);
    // ORDERING: the counter only has to give different numbers.
    let instance = INSTANCES.fetch_add(1, Relaxed);
    let born = fork::generation();
    let fresh = Arc::new(Shared { name, instance, born, file, watchers: Mutex::default() });
    let mut table = TABLE.get().lock();
    let alive = table.entries.get(&name).and_then(|entry| entry.alive.upgrade());
    if alive.is_none() {
        // The entry that this replaces keeps nothing, because its handle is dead.
        table.entries.insert(name, Entry { alive: Arc::downgrade(&fresh), kept: None });
    }
    drop(table);
    Handle(alive.unwrap_or(fresh))
}

/// Removes the entry of a handle whose last clone is dropped, unless another handle has the name by now.
pub(super) fn remove(name: Name, dropped: &Shared) {
    let mut table = TABLE.get().lock();
    if table.entries.get(&name).is_some_and(|entry| std::ptr::eq(entry.alive.as_ptr(), dropped)) {
        let entry = table.entries.remove(&name);
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
