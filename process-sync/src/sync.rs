//! Atomics, shared memory and the membership of a process: the real ones, or, under `--cfg loom`, those of the model
//! checker.

#[cfg(loom)]
pub(crate) use crate::modelled::*;
#[cfg(not(loom))]
pub(crate) use real::*;

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicU32, fence};

    pub(crate) use crate::{memory::SharedMemory, roster::Member};

    /// How often a thread looks at a lock before it sleeps. The rest before each look is twice as long as the one
    /// before it.
    pub(crate) const SPINS: u32 = 6;

    #[inline]
    pub(crate) fn pause() {
        std::hint::spin_loop();
    }
}
