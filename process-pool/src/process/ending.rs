//! The end of a process, for which any number of threads may wait.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::ExitStatusExt as _,
    },
    process::ExitStatus,
    sync::Arc,
    time::Instant,
};

use executor_core::deadline;
use parking_lot::{Condvar, Mutex};

use crate::sys::{child::Process, pipe};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Ending {
    end: Mutex<Option<End>>,
    happened: Condvar,
    /// The writing end of the pipe that reports the end, where the system has no descriptors of processes. It is closed
    /// at the end.
    writer: Mutex<Option<OwnedFd>>,
}

/// How a process has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// The exit status, or `None` if something else in this program has taken it.
    status: Option<ExitStatus>,
}

impl Ending {
    /// Records the end. Only the first call counts.
    pub(crate) fn set(&self, status: Option<ExitStatus>) {
        self.end.lock().get_or_insert(End { status });
        self.happened.notify_all();
        drop(self.writer.lock().take());
    }

    pub(super) fn get(&self) -> Option<End> {
        *self.end.lock()
    }

    /// Waits for the end, but not past the deadline. Returns whether the process has ended.
    pub(super) fn wait(&self, until: Option<Instant>) -> bool {
        deadline::wait_while(&self.happened, &mut self.end.lock(), until, |end| end.is_none())
    }

    /// Closes this writing end of a pipe when the process ends, or immediately if it has ended.
    pub(super) fn close_at_end(&self, writer: OwnedFd) {
        *self.writer.lock() = Some(writer);
        if self.get().is_some() {
            drop(self.writer.lock().take());
        }
    }
}

impl End {
    /// Returns the exit code, or the negative number of the signal that has ended the process.
    pub(super) fn code(self) -> Option<i32> {
        let status = self.status?;
        status.code().or_else(|| status.signal().map(|signal| -signal))
    }
}

/// A descriptor that is ready to read once a process has ended.
#[derive(Debug)]
pub(super) enum Sentinel {
    /// The descriptor of the process.
    Process(Arc<OwnedFd>),
    /// The reading end of a pipe.
    Pipe(OwnedFd),
}

impl Sentinel {
    /// Returns the sentinel of a process that has this ending.
    pub(super) fn of(process: &Process, ending: &Ending) -> io::Result<Sentinel> {
        if let Some(descriptor) = process.descriptor() {
            return Ok(Sentinel::Process(descriptor.clone()));
        }
        let (reader, writer) = pipe::new_pipe()?;
        ending.close_at_end(writer);
        Ok(Sentinel::Pipe(reader))
    }
}

impl AsFd for Sentinel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Sentinel::Process(descriptor) => descriptor.as_fd(),
            Sentinel::Pipe(reader) => reader.as_fd(),
        }
    }
}
