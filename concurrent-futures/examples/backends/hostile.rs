//! A file that crashes the parser.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;

use concurrent_futures::{Backend, Error, Executor as _, Future};
use tempfile::NamedTempFile;

#[allow(dead_code, reason = "the other example that shares it uses more of it")]
#[path = "../crash_proof/traps.rs"]
mod traps;

/// The file. Dropping this removes it.
pub struct HostileFile {
    file: NamedTempFile,
}

impl HostileFile {
    pub fn create() -> io::Result<HostileFile> {
        let mut file = tempfile::Builder::new().prefix("hostile-").tempfile()?;
        writeln!(file, "{}", traps::Trap::InvalidWrite.marker())?;
        Ok(HostileFile { file })
    }

    /// Submits a task that parses the file, which writes to an invalid address. It ends the process that runs it.
    pub fn parse_on(&self, executor: &dyn Backend) -> Result<Future<()>, Error> {
        let path = self.file.path().as_os_str().to_owned();
        executor.submit(|path: OsString| traps::parse(Path::new(&path)), path)
    }
}
