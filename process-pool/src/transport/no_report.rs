//! Where the system has no memory that two processes can share without a name in the file system, a worker reports
//! nothing. Has the shape of `ring/report.rs`; there is no value of this type.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

/// See the [module](self).
#[derive(Clone, Debug)]
pub(crate) enum Report {}

impl Report {
    pub(crate) fn create() -> io::Result<(OwnedFd, Report)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn open(_: impl AsFd) -> io::Result<Report> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn count<R>(&self, _: u64, _: impl FnOnce() -> (R, u64)) -> R {
        match *self {}
    }

    pub(crate) fn note_boundary(&self, _: impl Fn() -> Option<u64>, _: impl FnMut() -> bool) {
        match *self {}
    }

    pub(crate) fn boundary(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn note_serving(&self) {
        match *self {}
    }

    pub(crate) fn note_stack_overflow(&self) {
        match *self {}
    }

    pub(crate) fn note_lost_link(&self) {
        match *self {}
    }

    pub(crate) fn served(&self) -> bool {
        match *self {}
    }

    pub(crate) fn has_overflowed_its_stack(&self) -> bool {
        match *self {}
    }

    pub(crate) fn has_lost_its_link(&self) -> bool {
        match *self {}
    }
}
