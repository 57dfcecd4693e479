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

    /// How often a thread looks at a lock before it sleeps. All looks together take some ten microseconds, as long as a
    /// sleep does, and longer than a queue holds its lock for an item of 64 KiB.
    pub(crate) const SPINS: u32 = 14;
    /// The pause before each look is twice as long as the one before it, up to two to the power of this.
    pub(crate) const LONGEST_PAUSE: u32 = 6;

    #[inline]
    pub(crate) fn pause() {
        std::hint::spin_loop();
    }
}
