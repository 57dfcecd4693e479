//! Files that are written once, and that no process can change after that.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, OwnedFd},
    ptr::{NonNull, null_mut},
    slice,
};

use executor_core::{codec::handles::Handle, confinement};
use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create},
    io::{Errno, pwrite, retry_on_intr},
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap},
};

use super::{File, Mapping, grow, length_of};

/// A file that only this process has, and writes.
#[derive(Debug)]
pub(crate) struct Draft {
    file: OwnedFd,
    name: &'static CStr,
    length: usize,
    /// The file in memory, if it was asked for.
    mapping: Option<Mapping>,
}

impl Draft {
    /// Makes a file of zeros, of a length that is not zero.
    pub(crate) fn new(name: &'static CStr, length: usize) -> io::Result<Draft> {
        confinement::check()?;
        let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        grow(&file, length)?;
        fcntl_add_seals(&file, SealFlags::SHRINK)?;
        Ok(Draft { file, name, length, mapping: None })
    }

    /// Writes bytes, which must fit.
    pub(crate) fn write(&mut self, offset: usize, mut bytes: &[u8]) -> io::Result<()> {
        debug_assert!(offset <= self.length && bytes.len() <= self.length - offset);
        let mut at = offset as u64;
        while !bytes.is_empty() {
            match retry_on_intr(|| pwrite(&self.file, bytes, at))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => {
                    bytes = &bytes[written..];
                    at += written as u64;
                }
            }
        }
        Ok(())
    }

    /// Returns all bytes.
    pub(crate) fn bytes(&mut self) -> io::Result<&mut [u8]> {
        if self.mapping.is_none() {
            let mapping = Mapping::map(&self.file, 0, self.length)?;
            // The mapping of a child that is forked meanwhile would keep the file from being sealed. If this fails,
            // `seal` copies.
            // SAFETY: it is a mapping of this length, and the advice changes nothing in this process.
            let _ = unsafe { madvise(mapping.start().as_ptr().cast(), mapping.length(), Advice::LinuxDontFork) };
            self.mapping = Some(mapping);
        }
        let mapping = self.mapping.as_ref().expect("it was just mapped");
        // SAFETY: the bytes are mapped and writable for as long as `self` is borrowed, which is exclusively. No other
        // process has the file.
        Ok(unsafe { slice::from_raw_parts_mut(mapping.start().as_ptr(), mapping.length()) })
    }

    /// Makes the file constant, and maps it.
    pub(crate) fn seal(self) -> io::Result<(File, Sealed)> {
        let file = Handle::new(self.seal_file()?);
        let sealed = Sealed::open(&file)?;
        Ok((file, sealed))
    }

    fn seal_file(mut self) -> io::Result<OwnedFd> {
        drop(self.mapping.take());
        match make_constant(&self.file) {
            Ok(()) => Ok(self.file),
            // Its pages are in use elsewhere: by a device, or by a child that was forked.
            Err(Errno::BUSY) => self.copy_of(),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns a constant file with the same bytes.
    fn copy_of(mut self) -> io::Result<OwnedFd> {
        let mut copy = Draft::new(self.name, self.length)?;
        copy.write(0, self.bytes()?)?;
        make_constant(&copy.file)?;
        Ok(copy.file)
    }
}

/// What no process can do to a file any more. The last makes it final.
const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::SEAL);

fn make_constant(file: &OwnedFd) -> rustix::io::Result<()> {
    fcntl_add_seals(file, SEALS)
}

/// Makes a constant file of these parts, one after the other, and does not map it.
pub(crate) fn constant_file(name: &'static CStr, parts: &[&[u8]]) -> io::Result<File> {
    let mut draft = Draft::new(name, parts.iter().map(|part| part.len()).sum())?;
    let mut offset = 0;
    for part in parts {
        draft.write(offset, part)?;
        offset += part.len();
    }
    Ok(Handle::new(draft.seal_file()?))
}

/// A constant file in memory.
#[derive(Debug)]
pub(crate) struct Sealed(Mapping);

impl Sealed {
    /// Maps a whole file.
    ///
    /// # Errors
    ///
    /// If a process could change the file, or it is empty.
    pub(crate) fn open(file: impl AsFd) -> io::Result<Sealed> {
        let file = file.as_fd();
        let is_constant = fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::WRITE | SealFlags::SHRINK));
        let length = length_of(file)?;
        if !is_constant || length == 0 || length > isize::MAX as usize {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a constant file"));
        }
        // SAFETY: no address is asked for, so the mapping overlaps nothing. The file has these bytes and is sealed
        // against shrinking, so every byte of the mapping stays backed.
        let start = unsafe { mmap(null_mut(), length, ProtFlags::READ, MapFlags::SHARED, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Sealed(Mapping { start, length }))
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the bytes are mapped and readable for as long as `self`, and the kernel lets no process change them.
        unsafe { slice::from_raw_parts(self.0.start().as_ptr(), self.0.length()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &CStr = c"test";

    #[test]
    fn a_sealed_file_has_what_was_written_and_cannot_be_changed() {
        let mut draft = Draft::new(NAME, 5000).expect("a file");
        draft.write(0, &[1; 4999]).expect("written");
        draft.bytes().expect("mapped")[4999] = 2;
        let (file, sealed) = draft.seal().expect("sealed");
        assert!(sealed.bytes()[..4999] == [1; 4999] && sealed.bytes()[4999] == 2);
        assert_eq!(pwrite(&file, &[3], 0), Err(Errno::PERM));
        rustix::fs::ftruncate(&file, 0).expect_err("sealed");
        rustix::fs::ftruncate(&file, 10_000).expect_err("sealed");
        assert!(Mapping::map(&file, 0, 5000).is_err(), "not for writing");
        let file = constant_file(NAME, &[b"ab", b"", b"c"]).expect("a file");
        assert_eq!(Sealed::open(&file).expect("mapped").bytes(), b"abc");
    }

    #[test]
    fn a_file_that_is_in_use_when_it_is_sealed_is_copied() {
        let mut draft = Draft::new(NAME, 4096).expect("a file");
        draft.bytes().expect("mapped")[7] = 7;
        let elsewhere = Mapping::map(&draft.file, 0, 4096).expect("mapped");
        let (_file, sealed) = draft.seal().expect("sealed");
        // SAFETY: it is the first byte of the mapping.
        unsafe { elsewhere.start().write(1) };
        assert!(sealed.bytes()[0] == 0 && sealed.bytes()[7] == 7);
    }

    #[test]
    fn a_file_that_can_change_is_not_opened() {
        let open = super::super::create(NAME, 4096).expect("a file");
        assert_eq!(Sealed::open(&open).expect_err("it can be written").kind(), io::ErrorKind::InvalidData);
        let (socket, _other) = std::os::unix::net::UnixStream::pair().expect("sockets");
        assert!(Sealed::open(&socket).is_err(), "a socket has no seals");
    }
}
