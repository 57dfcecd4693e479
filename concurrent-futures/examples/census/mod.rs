//! The job that the larger examples share: a census of source files.
//!
//! Every file is read once for its SHA-256, its lines, words and bytes, and its identifiers. The findings of all files
//! are merged. Only [`take`] distributes the work, to a `&dyn Backend`: the caller chooses threads, processes or its
//! own thread.
//!
//! `walk` finds the files, `scan` is the work of a task, and `tally` has its result and merges results.

mod scan;
mod tally;
mod walk;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use concurrent_futures::{Backend, Error, Executor, Function, MapOptions};

pub use scan::{read_in_blocks, scan};
pub use tally::{Census, Lost, Tally, Totals, Unreadable};
pub use walk::{Found, walk};

/// The number of submitted tasks for each worker. With one, a worker would be idle while its result is merged. With
/// many, finished results would fill the memory, because results are merged in order.
const TASKS_AHEAD: usize = 8;

/// Distributes `files` over the workers of `executor`, `files_per_task` for each task, and merges the results.
///
/// `scan` is a parameter so that a program can run its own parser before [`scan()`]. `watch` gets the census after
/// every task, to show progress. If it returns `Break`, tasks that have not started are cancelled, and the census so
/// far is returned.
///
/// Because of `buffersize`, files are taken from the iterator only as results are merged: a million files need no more
/// memory than a thousand, and a walk over a slow disk overlaps with the work. The files of a task that fails are not
/// counted, and the task is recorded in [`Census::lost`].
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
    // The files are grouped already, so `map` needs no chunks.
    let options = MapOptions::new().buffersize(TASKS_AHEAD * executor.max_workers()).chunksize(1);
    let tasks = walk::in_batches(files, files_per_task);
    let mut census = Census::default();
    for (task, tally) in executor.map_with(options, scan, tasks)?.enumerate() {
        match tally {
            Ok(tally) => census.add(tally),
            Err(error) => census.lost.push(Lost { task, error }),
        }
        if watch(&census).is_break() {
            // Leaving the loop drops the `Map`, which cancels tasks that have not started.
            break;
        }
    }
    Ok(census)
}
