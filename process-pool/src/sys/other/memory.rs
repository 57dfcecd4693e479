//! Memory on other systems, where processes cannot share memory without a name in the file system.

use std::{
    ffi::CStr,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::AtomicU32,
};

/// Fails.
pub(crate) fn create_shared(_: &CStr, _: usize) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There is no value of this type.
#[derive(Debug)]
pub(crate) enum SharedMapping {}

impl SharedMapping {
    /// Fails.
    pub(crate) fn map(_: impl AsFd, _: usize) -> io::Result<SharedMapping> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        match *self {}
    }

    pub(crate) fn length(&self) -> usize {
        match *self {}
    }
}

/// Fails.
pub(crate) fn wait_on(_: &AtomicU32, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Does nothing.
pub(crate) fn wake_one(_: &AtomicU32) {}

/// Whether [`lend`] has an effect.
pub(crate) const CAN_LEND: bool = false;

/// Does nothing.
pub(crate) fn lend(_: &mut [MaybeUninit<u8>]) {}

/// Returns more than any machine has.
pub(crate) fn total() -> u64 {
    isize::MAX as u64
}
