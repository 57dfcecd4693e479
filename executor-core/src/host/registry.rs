//! The hosts of this process, found by their ids.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use parking_lot::RwLock;

use super::{Host, HostId};
use crate::fork::{self, Generation, Own};

/// Keeps a host registered until it is dropped.
#[derive(Debug)]
pub struct Registration(HostId);

/// The hosts of this process. A forked child starts with none, because the parent's hosts have no threads there.
static HOSTS: Own<RwLock<HashMap<u32, Weak<dyn Host>>>> = Own::new();

/// A host that was found. Ids are not used twice, so it is that of its id as long as it lives.
struct Found {
    /// The process in which it was found: the parent's hosts are none of a forked child.
    born: Generation,
    id: HostId,
    host: Weak<dyn Host>,
}

thread_local! {
    /// The host that the calling thread has found last, which is mostly the one that it looks for next.
    static LAST: RefCell<Option<Found>> = const { RefCell::new(None) };
}

/// Registers a host. The registry holds it weakly.
pub fn register(host: Weak<dyn Host>) -> Registration {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let mut hosts = HOSTS.get().write();
    // ORDERING: the counter only has to give distinct numbers, and the lock is held anyway.
    let id = loop {
        let id = NEXT.fetch_add(1, Relaxed);
        if id != 0 && !hosts.contains_key(&id) {
            break id;
        }
    };
    hosts.insert(id, host);
    Registration(HostId::from_raw(id))
}

impl Registration {
    /// Returns the id to set on tasks with [`Task::attach`](crate::Task::attach).
    pub fn id(&self) -> HostId {
        self.0
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        HOSTS.get().write().remove(&self.0.raw());
    }
}

impl HostId {
    /// Returns the host with this id, if it is still registered in this process.
    pub(crate) fn find(self) -> Option<Arc<dyn Host>> {
        if self == HostId::NONE {
            return None;
        }
        let now = fork::generation();
        let is_same = |last: &Found| last.id == self && last.born == now;
        let last = |last: &RefCell<Option<Found>>| last.borrow().as_ref().filter(|last| is_same(last))?.host.upgrade();
        if let Ok(Some(host)) = LAST.try_with(last) {
            return Some(host);
        }
        let host = HOSTS.get().read().get(&self.raw())?.clone();
        let found = host.upgrade();
        let _ = LAST.try_with(|last| last.replace(Some(Found { born: now, id: self, host })));
        found
    }
}
