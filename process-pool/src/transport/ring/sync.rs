//! What the ring is built of: the real things, or, under `--cfg loom`, those that a model checker plays through in
//! every order.

#[cfg(loom)]
pub(super) use super::modelled::*;
#[cfg(not(loom))]
pub(super) use real::*;

#[cfg(not(loom))]
mod real {
    pub(in super::super) use std::sync::atomic::{AtomicU64, fence};

    pub(in super::super) use super::super::{
        super::monotonic_now,
        bell::Bell,
        memory::{SharedMemory, create_file, create_file_called},
    };
}
