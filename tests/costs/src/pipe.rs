//! A signal from one thread or process to another. The waiting side sleeps in the kernel, where its instructions are
//! not counted. The gate of `conformance` has a thread, whose instructions would be counted.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde::{Deserialize, Serialize};

/// The path of a named pipe. Opening it for reading waits until it is opened for writing, and vice versa.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NamedPipe(PathBuf);

impl NamedPipe {
    pub(super) fn new(directory: &Path, name: &str) -> io::Result<NamedPipe> {
        let path = directory.join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        Ok(NamedPipe(path))
    }

    /// Waits for the signal. Each pipe is used only once.
    pub(super) fn wait(&self) -> io::Result<()> {
        File::open(&self.0).map(drop)
    }

    /// Sends the signal. This waits until the other side waits for the signal.
    pub(super) fn signal(&self) -> io::Result<()> {
        File::options().write(true).open(&self.0).map(drop)
    }
}
