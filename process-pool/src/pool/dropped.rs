//! The handles whose last clone was dropped, until the workers that have their descriptors are told.

use executor_core::codec::handles::{Name, Watcher};
use parking_lot::Mutex;

use super::wake::Wake;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct DroppedHandles {
    /// The name and the instance of each.
    handles: Mutex<Vec<(Name, u64)>>,
    /// What wakes the supervisor. `None` in tests without one.
    wake: Option<Wake>,
}

impl DroppedHandles {
    pub(super) fn new(wake: Wake) -> DroppedHandles {
        DroppedHandles { handles: Mutex::default(), wake: Some(wake) }
    }

    /// Returns the handles that were dropped since the last call.
    pub(super) fn take(&self) -> Vec<(Name, u64)> {
        std::mem::take(&mut *self.handles.lock())
    }
}

impl Watcher for DroppedHandles {
    fn dropped(&self, name: Name, instance: u64) {
        // A clone may be dropped under the lock of the pool, so this only wakes the supervisor.
        let mut handles = self.handles.lock();
        handles.push((name, instance));
        let is_first = handles.len() == 1;
        if let Some(wake) = self.wake.as_ref().filter(|_| is_first) {
            wake.notify();
        }
    }
}
