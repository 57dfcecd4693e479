//! Finds the files, lazily and always in the same order.

use std::ffi::OsString;
use std::iter;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use walkdir::{DirEntry, WalkDir};

use super::Unreadable;

/// An entry that the walk found.
///
/// Failures are arguments of tasks, as files are. So the walk needs no second channel to report them, and they come
/// back in walk order.
#[derive(Debug, Serialize, Deserialize)]
pub enum Found {
    /// A file to read. It is an `OsString`, because serde refuses a `PathBuf` that is not UTF-8.
    File(OsString),
    /// A directory that cannot be listed, or an entry that was deleted during the listing.
    Unreadable(Unreadable),
    /// A pipe, a socket or a device. Reading it could block forever.
    Special,
}

/// Returns everything below `roots`, in the order of the roots and by file name within a directory.
///
/// Only one directory for each level of depth is in memory at any time. A symbolic link counts as a file: `scan` reads
/// it if it leads to one. A link to a directory is never followed, so a loop of links ends where it begins.
pub fn walk(roots: Vec<PathBuf>) -> impl Iterator<Item = Found> + Send + 'static {
    roots.into_iter().flat_map(|root| WalkDir::new(root).sort_by_file_name()).filter_map(found)
}

/// Groups `files` into the arguments of the tasks.
///
/// With a task for each file, a single thread would merge the identifiers of every file. Neighbouring files share most
/// identifiers, and the worker sums those of a task before it sends them.
pub fn in_batches(
    mut files: impl Iterator<Item = Found> + Send + 'static,
    size: NonZeroUsize,
) -> impl Iterator<Item = Vec<Found>> + Send + 'static {
    iter::from_fn(move || {
        let batch: Vec<Found> = files.by_ref().take(size.get()).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

fn found(entry: walkdir::Result<DirEntry>) -> Option<Found> {
    match entry {
        Ok(entry) if entry.file_type().is_dir() => None,
        Ok(entry) if entry.file_type().is_file() || entry.file_type().is_symlink() => {
            Some(Found::File(entry.into_path().into_os_string()))
        }
        Ok(_) => Some(Found::Special),
        Err(error) => Some(Found::Unreadable(Unreadable {
            path: error.path().unwrap_or("?".as_ref()).display().to_string(),
            // The message of `walkdir` repeats the path, so this is only the message of the system.
            reason: match error.io_error() {
                Some(reason) => reason.to_string(),
                None => error.to_string(),
            },
        })),
    }
}
