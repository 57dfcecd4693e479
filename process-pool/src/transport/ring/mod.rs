//! The link through shared memory: a ring for each direction, and a word for each task that the worker has.
//!
//! While both sides are awake no system call is made. A side that finds nothing to do sets a flag, checks once more,
//! and sleeps: the worker on a futex, the parent on its end of the socketpair, which it polls together with everything
//! else. README.md in this folder has the proof.

mod claims;
#[cfg(not(loom))]
mod doorbell;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod layout;
#[cfg(not(loom))]
mod memory;
#[cfg(all(test, loom))]
mod model;
#[cfg(loom)]
mod modelled;
mod parent;
mod pipe;
pub(crate) mod report;
mod sync;
mod worker;

use std::{io, os::fd::OwnedFd, sync::Arc};

use parent::{RingInbox, RingOutbox};
use report::Report;
use sync::{Doorbell, SharedMemory};
use worker::RingPort;

/// Makes the shared memory of a link, and the file by which a worker opens it.
pub(crate) fn create() -> io::Result<(OwnedFd, Memory)> {
    let file = sync::create_file(c"concurrent-futures", layout::LENGTH)?;
    let memory = Memory(Arc::new(SharedMemory::map(&file, layout::LENGTH)?));
    Ok((file, memory))
}

/// The shared memory of one link.
pub(crate) struct Memory(Arc<SharedMemory>);

impl Memory {
    pub(crate) fn report(&self) -> Report {
        Report::in_ring(self.0.clone())
    }

    /// Returns the parent's two ends. `socket` is its end of the socketpair.
    pub(crate) fn parent_ends(self, socket: Arc<OwnedFd>) -> (RingOutbox, RingInbox) {
        parent::ends(self.0, Doorbell::on(socket))
    }
}

/// Opens the worker's end, and its report. `socket` is its end of the socketpair.
pub(crate) fn port(file: OwnedFd, socket: Arc<OwnedFd>) -> io::Result<(RingPort, Report)> {
    let memory = Arc::new(SharedMemory::map(file, layout::LENGTH)?);
    let report = Report::in_ring(memory.clone());
    Ok((RingPort::new(memory, Doorbell::on(socket)), report))
}
