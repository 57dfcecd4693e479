//! Locks that survive the death of their holder.

#[cfg(not(loom))]
pub(crate) mod owned;
#[cfg(not(loom))]
mod plain;
#[cfg(not(loom))]
mod reentrant;
#[cfg(not(loom))]
mod rw;
pub(crate) mod word;

#[cfg(not(loom))]
pub use plain::{Guard, Lock};
#[cfg(not(loom))]
pub use reentrant::{RGuard, RLock};
#[cfg(not(loom))]
pub use rw::{ReadGuard, RwLock, WriteGuard};
