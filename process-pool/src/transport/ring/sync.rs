//! The parts of the ring: the real memory, futex, doorbell and clock, or, under `--cfg loom`, those of the model
//! checker.

#[cfg(loom)]
pub(super) use super::modelled::*;
#[cfg(not(loom))]
pub(super) use real::*;

#[cfg(not(loom))]
mod real {
    pub(in super::super) use std::sync::atomic::{AtomicU64, fence};

    pub(in super::super) use super::super::{
        doorbell::Doorbell,
        memory::{SharedMemory, create_file},
    };
    pub(in super::super) use crate::sys::clock::monotonic_now;
}
