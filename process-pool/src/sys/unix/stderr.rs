//! This program's standard error, written without waiting for its reader.
//!
//! A file that is ready may not take all bytes that are written, and whether a write blocks is a setting that all users
//! of an open file share. So a pipe and a terminal are opened again, for this thread alone, without blocking. A socket
//! takes the setting for each message. A regular file never waits for a reader. If none of this is possible (no
//! `/proc`, or no right to open the file), a write may block, so the supervisor must not do it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{FileType, Stat},
    io::Errno,
    net::SendFlags,
};

use super::socket::NO_SIGNAL;
use crate::sys::descriptors::reopen_stderr;

/// The standard error of this program.
#[derive(Default)]
pub(crate) struct Output {
    /// The file, opened again by this thread, and its status.
    own: Option<(OwnedFd, Stat)>,
}

/// The most bytes that a pipe takes as a whole or not at all, so that output of other programs never comes between
/// them.
const ATOMIC: usize = 4096;

impl Output {
    /// Writes some of these bytes, which begin with a new line, and returns how many it has written.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the file takes nothing at the moment: poll the [`descriptor`](Output::descriptor). Any other
    /// error means that it takes nothing any more.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stderr = rustix::stdio::stderr();
        let stat = rustix::fs::fstat(stderr)?;
        let bytes = whole_lines(bytes, ATOMIC);
        loop {
            let written = match kind(&stat) {
                Kind::Socket => rustix::net::send(stderr, bytes, SendFlags::DONTWAIT | NO_SIGNAL),
                Kind::Reader if self.open(&stat) => rustix::io::write(self.descriptor(), bytes),
                Kind::Reader | Kind::File => rustix::io::write(stderr, bytes),
            };
            match written {
                Err(Errno::INTR) => {}
                // Another process that shares the open file has set it not to block.
                Err(Errno::AGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
                written => return Ok(written?),
            }
        }
    }

    /// Returns the descriptor to poll after `WouldBlock`.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.own.as_ref().map_or(rustix::stdio::stderr(), |(own, _)| own.as_fd())
    }

    pub(crate) fn is_open(&self) -> bool {
        self.own.is_some()
    }

    /// Closes the file until the next write, so that a pipe is not kept open longer than the program itself does.
    pub(crate) fn close(&mut self) {
        self.own = None;
    }

    /// Opens the file again, if it is not open. Returns `false` if that is not possible.
    fn open(&mut self, stat: &Stat) -> bool {
        let is_same = |other: &Stat| (other.st_dev, other.st_ino) == (stat.st_dev, stat.st_ino);
        if self.own.as_ref().is_some_and(|(_, other)| is_same(other)) {
            return true;
        }
        self.own = reopen_stderr(stat).map(|own| (own, *stat));
        self.own.is_some()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    /// A write blocks until a reader takes something.
    Reader,
    Socket,
    File,
}

fn kind(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => Kind::Socket,
        FileType::Fifo => Kind::Reader,
        FileType::CharacterDevice if rustix::termios::isatty(rustix::stdio::stderr()) => Kind::Reader,
        _ => Kind::File,
    }
}

/// Returns the lines that fit into this many bytes, or the beginning of a longer line.
fn whole_lines(bytes: &[u8], most: usize) -> &[u8] {
    if bytes.len() <= most {
        return bytes;
    }
    let some = &bytes[..most];
    match some.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => &some[..=end],
        None => some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_whole_if_they_fit() {
        assert_eq!(whole_lines(b"one\ntwo\n", 8), b"one\ntwo\n");
        assert_eq!(whole_lines(b"one\ntwo\nthree", 12), b"one\ntwo\n");
        assert_eq!(whole_lines(b"one\ntwo", 7), b"one\ntwo");
        assert_eq!(whole_lines(b"endless", 3), b"end");
    }
}
