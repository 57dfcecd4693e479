//! The hosts of this process, found by their ids.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use parking_lot::RwLock;

use super::{Host, HostId};
use crate::fork::Own;

/// Keeps a host registered until it is dropped.
#[derive(Debug)]
pub struct Registration(HostId);

/// The hosts of this process. A forked child starts with none, because the parent's hosts have no threads there.
static HOSTS: Own<RwLock<HashMap<u32, Weak<dyn Host>>>> = Own::new();

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
        HOSTS.get().read().get(&self.raw())?.upgrade()
    }
}
