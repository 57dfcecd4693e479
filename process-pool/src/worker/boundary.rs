//! Where the standard error of one task ends and that of the next one begins, which tells what is said of a death.
//!
//! Asking the pipe is a system call, and costs more than a short task. A task that took less time than the call does
//! cannot have written anything, because writing to a pipe is a longer call. So the pipe is asked after a task that
//! took longer, when its outcome was sent already. What threads and processes that a task has left behind write later
//! is not told apart.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};

use super::REPORT;
use crate::transport::bytes_in_pipe;

/// See the [module](self).
pub(super) struct Boundary {
    /// This process's standard error as its parent made it, whatever tasks put in its place.
    pipe: Option<OwnedFd>,
    /// Nothing can have been written in less.
    shortest: u64,
    begun: u64,
    took: u64,
}

impl Boundary {
    pub(super) fn new() -> Boundary {
        let pipe = REPORT.get().and_then(|_| rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3).ok());
        let shortest = pipe.as_ref().map_or(u64::MAX, shortest_write);
        Boundary { pipe, shortest, begun: 0, took: 0 }
    }

    /// A task, or an item of a batch, begins.
    pub(super) fn begin(&mut self) {
        self.begun = ticks();
    }

    /// It has ended.
    pub(super) fn end(&mut self) {
        // Clocks of two processors that differ make it too long, or long beyond measure, and so the pipe is asked.
        self.took = ticks().wrapping_sub(self.begun);
    }

    /// Notes the boundary behind what has ended, if that can have written anything.
    pub(super) fn note_if_written(&self) {
        if self.took >= self.shortest {
            self.note();
        }
    }

    /// Notes that what was written up to now is not the next task's.
    #[cold]
    pub(super) fn note(&self) {
        /// A parent that is reading has lost its processor, most likely, and needs this one.
        const RESTS: u32 = 10_000;
        let (Some(pipe), Some(report)) = (&self.pipe, REPORT.get()) else { return };
        let mut rests = 0;
        report.note_boundary(
            || bytes_in_pipe(pipe.as_fd()),
            || {
                std::thread::yield_now();
                rests += 1;
                rests < RESTS
            },
        );
    }
}

/// A time in which nothing can be written to a pipe: half of what it takes to ask for its contents, which is less work
/// for the kernel. Half of it, because the processor may have been slow when this was measured.
fn shortest_write(pipe: &OwnedFd) -> u64 {
    const TIMES: usize = 8;
    let measure = |_| {
        let begun = ticks();
        let _ = bytes_in_pipe(pipe.as_fd());
        ticks().wrapping_sub(begun)
    };
    (0..TIMES).map(measure).min().unwrap_or(0) / 2
}

/// The time in units of its own, from whatever clock is read fastest.
fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every processor of this architecture has the instruction.
        unsafe { std::arch::x86_64::_rdtsc() }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        crate::transport::monotonic_now().as_nanos() as u64
    }
}
