//! A gate between threads or processes: one waits until another opens it, asleep in the kernel, where no instructions
//! of the program are counted.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde::{Deserialize, Serialize};

/// A named pipe, by its path. Opening it for reading waits for somebody who opens it for writing, and the other way
/// round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Gate(PathBuf);

impl Gate {
    pub(super) fn new(directory: &Path, name: &str) -> io::Result<Gate> {
        let path = directory.join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        Ok(Gate(path))
    }

    /// Waits until somebody opens it. A gate is passed once.
    pub(super) fn pass(&self) -> io::Result<()> {
        File::open(&self.0).map(drop)
    }

    /// Lets somebody pass; waits until somebody wants to.
    pub(super) fn open(&self) -> io::Result<()> {
        File::options().write(true).open(&self.0).map(drop)
    }
}
