//! The file that workers run, by its path.

use std::{io, os::fd::BorrowedFd, path::PathBuf};

use executor_core::function::image::Image;

/// The file of this program.
#[derive(Debug)]
pub(crate) struct Executable {
    path: PathBuf,
}

impl Executable {
    /// Finds the file of this program.
    pub(crate) fn find(_: Option<&Image>) -> io::Result<Executable> {
        Ok(Executable { path: std::env::current_exe()? })
    }

    /// Returns `None`.
    pub(crate) fn inherited(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }
}
