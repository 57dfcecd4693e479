//! The job that the larger examples share: a census of source files.
//!
//! Every file is read once for its SHA-256, its lines, words and bytes, and the identifiers in it. What is found is
//! merged over all files. [`take`] is the only function that knows how the work is spread, and all it knows is a
//! `&dyn Backend`: threads, processes and the caller's own thread differ by what the caller passes.
//!
//! `walk` finds the files, `scan` is what a task does with some of them, `tally` is what comes back and how it adds up.

mod scan;
mod tally;
mod walk;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use concurrent_futures::{Backend, Error, Executor, Function, MapOptions};

pub use scan::{read_in_blocks, scan};
pub use tally::{Census, Lost, Tally, Unreadable};
pub use walk::{Found, walk};

/// How many tasks are under way for each worker. One would leave a worker idle while its result is merged; many would
/// only hold finished results in memory, because results are merged in order.
const TASKS_AHEAD: usize = 8;

/// Spreads `files` over the workers of `executor`, `files_per_task` at a time, and merges what comes back.
///
/// `scan` is a parameter so that a program can put a parser of its own in front of [`scan()`]. `watch` sees the census
/// after every task, to show progress; if it breaks, what has not started is cancelled and what is merged so far is
/// returned.
///
/// Files are taken from the iterator only as results are merged: with `buffersize`, a million files need no more
/// memory than a thousand, and a walk over a slow disk overlaps with the work. A task that fails costs its own files
/// and nothing else; it is recorded in [`Census::lost`].
pub fn take<F>(
    executor: &dyn Backend,
    scan: F,
    files: impl Iterator<Item = Found> + Send + 'static,
    files_per_task: NonZeroUsize,
    mut watch: impl FnMut(&Census) -> ControlFlow<()>,
) -> Result<Census, Error>
where
    F: Function<Vec<Found>, Tally>,
{
    // A batch is a chunk already, one that is merged before it travels. So nothing is left for `map` to chunk.
    let options = MapOptions::new().buffersize(TASKS_AHEAD * executor.max_workers()).chunksize(1);
    let tasks = walk::in_batches(files, files_per_task);
    let mut census = Census::default();
    for (task, tally) in executor.map_with(options, scan, tasks)?.enumerate() {
        match tally {
            Ok(tally) => census.add(tally),
            Err(error) => census.lost.push(Lost { task, error }),
        }
        if watch(&census).is_break() {
            // Leaving the loop drops the `Map`, and that cancels what has not started.
            break;
        }
    }
    Ok(census)
}
