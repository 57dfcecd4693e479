//! The file from which a part of this process's memory is mapped.
//!
//! A file is identified by the device and the inode that `/proc/self/maps` names. On some file systems (btrfs,
//! overlayfs) these are not the ones that `stat` returns, so an open file that differs is mapped for a moment, and the
//! numbers of that mapping are compared.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    ops::Range,
    os::fd::BorrowedFd,
    ptr::null_mut,
};

use rustix::{
    fs::{fstat, major, minor},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

/// A file that is mapped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// The major and minor number.
    device: (u32, u32),
    inode: u64,
    /// The path of the file. If the file was deleted, a remark follows the path.
    pub(super) path: Vec<u8>,
}

impl Mapping {
    /// Returns the file that the first of these parts is mapped from, or `None` if they are mapped from no file.
    pub(super) fn of_parts(parts: &[Range<usize>]) -> io::Result<Option<Mapping>> {
        let mut lines = BufReader::new(File::open("/proc/self/maps")?).split(b'\n');
        lines.find_map(|line| line.map(|line| of_line(&line, parts)).transpose()).transpose()
    }

    /// Returns `true` if this open file is the mapped one. The file must be open for reading.
    pub(super) fn is_of(&self, file: BorrowedFd<'_>) -> io::Result<bool> {
        let status = fstat(file)?;
        if (major(status.st_dev), minor(status.st_dev)) == self.device && status.st_ino == self.inode {
            return Ok(true);
        }
        // SAFETY: the system chooses the address, so it replaces no other mapping. It maps the whole page of that byte.
        let at = unsafe { mmap(null_mut(), 1, ProtFlags::READ, MapFlags::PRIVATE, file, 0) }?;
        let mapped = Mapping::of_parts(std::slice::from_ref(&(at.addr()..at.addr() + 1)));
        // SAFETY: it was mapped above, and nothing refers to it. If this fails, it stays mapped.
        let _ = unsafe { munmap(at, 1) };
        Ok(mapped?.is_some_and(|mapped| (mapped.device, mapped.inode) == (self.device, self.inode)))
    }

    #[cfg(test)]
    fn with(device: (u32, u32), inode: u64) -> Mapping {
        Mapping { device, inode, path: Vec::new() }
    }
}

/// Parses a line of `/proc/self/maps`, `start-end flags offset major:minor inode path`. The inode is decimal, and the
/// other numbers are hexadecimal.
fn of_line(line: &[u8], parts: &[Range<usize>]) -> Option<Mapping> {
    // The path is the rest of the line, spaces included.
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let mut field = || std::str::from_utf8(fields.next()?).ok();
    let (start, end) = field()?.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    if !parts.iter().any(|part| part.start < end && start < part.end) {
        return None;
    }
    let (_flags, _offset) = (field()?, field()?);
    let (major, minor) = field()?.split_once(':')?;
    let device = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    let inode = field()?.parse().ok().filter(|inode| *inode != 0)?;
    let path = fields.next()?.trim_ascii_start().to_vec();
    Some(Mapping { device, inode, path })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    fn read(line: &[u8]) -> Option<Mapping> {
        of_line(line, &[0x1800..0x1900, 0x5000..0x5001])
    }

    #[test]
    fn a_line_is_parsed_if_it_overlaps_a_part_and_names_a_file() {
        let parsed =
            read(b"1000-2000 r--p 00000000 fe:1f 247030                     /bin/a b (deleted)").expect("read");
        assert_eq!(
            (parsed.device, parsed.inode, parsed.path.as_slice()),
            ((0xfe, 0x1f), 247_030, &b"/bin/a b (deleted)"[..])
        );
        assert!(read(b"1000-1800 r--p 00000000 fe:1f 247030 /bin/a").is_none(), "it ends where the part begins");
        assert!(read(b"1900-2000 r--p 00000000 fe:1f 247030 /bin/a").is_none(), "it begins where the part ends");
        assert!(read(b"5000-6000 r--p 00000000 fe:1f 247030 /bin/a").is_some(), "the second part");
        assert!(read(b"1000-2000 rw-p 00000000 00:00 0 ").is_none(), "memory of no file");
        assert!(
            read(b"1000-2000 r--p 00000000 fe:1f 1 /bin/\xff\\012").is_some_and(|map| map.path == b"/bin/\xff\\012")
        );
        for damaged in
            [&b""[..], b"1000", b"1000-2000", b"x-y r 0 0:0 1 /a", b"1000-2000 r 0 0 1 /a", b"\xff-\xfe r 0 0:0 1"]
        {
            assert!(read(damaged).is_none(), "{damaged:?}");
        }
    }

    #[test]
    fn an_open_file_is_recognised_even_if_its_status_has_other_numbers() {
        let image = executor_core::function::image::own();
        let mapping = Mapping::of_parts(image.loaded()).expect("readable").expect("it has a file");
        let (own, other) = (File::open("/proc/self/exe").expect("opens"), File::open("/bin/sh").expect("opens"));
        assert!(mapping.is_of(own.as_fd()).expect("readable"));
        assert!(!mapping.is_of(other.as_fd()).expect("readable"));
        assert!(!Mapping::with((0, 0), 1).is_of(own.as_fd()).expect("readable"));
        // A new mapping has the same numbers, whatever `stat` returns.
        // SAFETY: as above.
        let at = unsafe { mmap(null_mut(), 1, ProtFlags::READ, MapFlags::PRIVATE, &own, 0) }.expect("mapped");
        assert_eq!(
            Mapping::of_parts(std::slice::from_ref(&(at.addr()..at.addr() + 1))).expect("readable"),
            Some(mapping)
        );
        // SAFETY: as above.
        unsafe { munmap(at, 1) }.expect("unmapped");
    }
}
