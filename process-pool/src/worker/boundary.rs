//! The boundary between the standard error of one task and that of the next, so that a death is reported with the right
//! part of it.
//!
//! Asking the pipe is a system call, and costs more than a short task. A task that took less time than that call cannot
//! have written anything, because writing to a pipe takes longer. So the pipe is asked only after a longer task, after
//! its outcome was sent. Output of threads and processes that a task has left behind counts for the next task.

use std::os::fd::{AsFd, OwnedFd};

use super::report::report;
use crate::sys::{clock::ticks, pipe::bytes_in_pipe, standard};

/// The boundary between the last task and the next one.
pub(super) struct Boundary {
    /// This process's standard error as its parent made it, even if a task replaces the descriptor.
    pipe: Option<OwnedFd>,
    /// A time in which nothing can be written.
    shortest: u64,
    begun: u64,
    took: u64,
    /// Whether the clock is read twice between two items of the batch.
    reads_twice: bool,
}

impl Boundary {
    pub(super) fn new() -> Boundary {
        let pipe = report().and_then(|_| standard::copy_of_stderr().ok());
        let shortest = pipe.as_ref().map_or(u64::MAX, shortest_write);
        Boundary { pipe, shortest, begun: 0, took: 0, reads_twice: false }
    }

    /// Returns the boundary of a worker whose standard error the parent does not read.
    pub(super) fn none() -> Boundary {
        Boundary { pipe: None, shortest: u64::MAX, begun: 0, took: 0, reads_twice: false }
    }

    /// Notes that a task, or an item of a batch, begins.
    pub(super) fn begin(&mut self) {
        self.begun = ticks();
    }

    /// Notes that the task or item has ended.
    pub(super) fn end(&mut self) {
        // If the clocks of two processors differ, the result may be far too large. Then the pipe is asked.
        self.took = ticks().wrapping_sub(self.begun);
    }

    /// Notes that the first item of a batch begins.
    pub(super) fn begin_batch(&mut self) {
        self.reads_twice = false;
        self.begin();
    }

    /// Notes that an item of a batch has ended and the next one begins. Reading the clock once costs a part of a short
    /// item. So the time of the next item includes what is done between the two, and seems longer, never shorter.
    pub(super) fn end_and_begin(&mut self) {
        let now = ticks();
        self.took = now.wrapping_sub(self.begun);
        self.begun = now;
    }

    /// Notes the boundary between two items, if the first can have written anything. From then on the clock is read
    /// again before each item, because what is done between two items may be what seems long, as a system call that
    /// sends an outcome does.
    pub(super) fn note_between(&mut self) {
        if self.took >= self.shortest {
            self.note();
            self.reads_twice = true;
        }
        if self.reads_twice {
            self.begin();
        }
    }

    /// Notes the boundary after a task that has ended, if the task can have written anything.
    pub(super) fn note_if_written(&self) {
        if self.took >= self.shortest {
            self.note();
        }
    }

    /// Notes that everything written up to now does not belong to the next task.
    #[cold]
    pub(super) fn note(&self) {
        /// How often this thread yields to a parent that is reading, because the parent most likely waits for this
        /// processor.
        const MOST_YIELDS: u32 = 10_000;
        let (Some(pipe), Some(report)) = (&self.pipe, report()) else { return };
        let mut yields = 0;
        report.note_boundary(
            || bytes_in_pipe(pipe.as_fd()),
            || {
                std::thread::yield_now();
                yields += 1;
                yields < MOST_YIELDS
            },
        );
    }
}

/// Returns a time in which nothing can be written to a pipe: half of the time that it takes to ask how full the pipe
/// is. Asking takes less work than writing, and the processor may have been slow when this was measured.
fn shortest_write(pipe: &OwnedFd) -> u64 {
    const TIMES: usize = 8;
    let measure = |_| {
        let begun = ticks();
        let _ = bytes_in_pipe(pipe.as_fd());
        ticks().wrapping_sub(begun)
    };
    (0..TIMES).map(measure).min().unwrap_or(0) / 2
}
