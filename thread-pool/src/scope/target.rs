//! The pool that a scope spawns its tasks on.

use std::sync::Arc;

use executor_core::{Error, Task, host::HostId};

use crate::pool::Pool;
#[cfg(feature = "rayon")]
use crate::rayon::Handle;

/// The pool of a scope.
#[derive(Clone)]
pub(crate) enum Target {
    Pool(Arc<Pool>),
    #[cfg(feature = "rayon")]
    Rayon(Handle),
}

impl Target {
    pub(super) fn schedule(&self, task: Task) -> Result<(), Error> {
        match self {
            Target::Pool(pool) => pool.schedule_scoped(task),
            #[cfg(feature = "rayon")]
            Target::Rayon(handle) => executor_core::Backend::schedule(handle, task),
        }
    }

    pub(super) fn max_workers(&self) -> usize {
        match self {
            Target::Pool(pool) => executor_core::Backend::max_workers(&**pool),
            #[cfg(feature = "rayon")]
            Target::Rayon(handle) => executor_core::Backend::max_workers(handle),
        }
    }

    /// Returns `true` if the calling thread is a worker of the pool.
    pub(super) fn has_current_thread(&self) -> bool {
        executor_core::task::worker_host() == self.host()
    }

    pub(super) fn host(&self) -> HostId {
        match self {
            Target::Pool(pool) => pool.host(),
            #[cfg(feature = "rayon")]
            Target::Rayon(handle) => handle.host(),
        }
    }

    pub(super) fn is_forked_copy(&self) -> bool {
        match self {
            Target::Pool(pool) => pool.is_forked_copy(),
            #[cfg(feature = "rayon")]
            Target::Rayon(handle) => handle.is_forked_copy(),
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Target::Pool(pool) => &pool.name,
            #[cfg(feature = "rayon")]
            Target::Rayon(handle) => handle.name(),
        }
    }
}
