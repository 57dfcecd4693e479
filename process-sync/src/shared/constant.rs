//! The file of a constant object: its identity, a count, and its contents.

use std::io;

use executor_core::Error;

use crate::{
    errors,
    object::{Kind, another_type, cannot_open, identity},
    sys::{Draft, File, Sealed, constant_file},
};

/// Where the contents begin, unless they need a larger alignment.
pub(super) const HEADER: usize = 64;
const COUNT: usize = 8;

/// Which kind of object a file has, and of which values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Which {
    pub(super) kind: &'static Kind,
    /// The fingerprint of the values.
    pub(super) content: u64,
}

impl Which {
    fn header(self, count: u64) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..COUNT].copy_from_slice(&identity(self.kind, self.content).to_ne_bytes());
        header[COUNT..COUNT + 8].copy_from_slice(&count.to_ne_bytes());
        header
    }

    /// Makes the file of an object whose contents are these bytes, which are also the count.
    pub(super) fn file_of(self, bytes: &[u8]) -> Result<File, Error> {
        constant_file(self.kind.file, &[&self.header(bytes.len() as u64), bytes])
            .map_err(|error| self.cannot_make(&error))
    }

    /// Begins a file that is this long, its header included.
    pub(super) fn draft(self, count: usize, length: usize) -> Result<Draft, Error> {
        let mut draft = Draft::new(self.kind.file, length).map_err(|error| self.cannot_make(&error))?;
        draft.write(0, &self.header(count as u64)).map_err(|error| self.cannot_make(&error))?;
        Ok(draft)
    }

    /// Opens the file of an object that another process has made. Returns its memory and its count, which may be
    /// anything.
    pub(super) fn open(self, file: &File) -> Result<(Sealed, u64), Error> {
        let sealed = Sealed::open(file).map_err(|error| cannot_open(self.kind, &error))?;
        let word = |at: usize| sealed.bytes().get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes);
        match (word(0), word(COUNT)) {
            (Some(found), Some(count)) if found == identity(self.kind, self.content) => Ok((sealed, count)),
            _ => Err(another_type(self.kind)),
        }
    }

    #[cold]
    pub(super) fn cannot_make(self, error: &io::Error) -> Error {
        errors::from_system(&format!("make a {}", self.kind.name), error)
    }
}
