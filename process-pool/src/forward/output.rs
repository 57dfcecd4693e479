//! This program's standard error, written to without waiting for whoever reads it.
//!
//! That it is ready for something does not mean that it takes what it is given, and whether a write blocks is a setting
//! that all share who have the same open file. So a pipe and a terminal are opened once more, for this thread alone,
//! and that does not block. A socket can be told for each message. A file never blocks, or not for want of a reader.
//! Where none of this is possible (no `/proc`, or no right to open it), a write may block; that is why this is not the
//! supervisor's business.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{FileType, Stat},
    io::Errno,
    net::SendFlags,
};

/// See the [module](self).
#[derive(Default)]
pub(super) struct Output {
    /// Opened once more, and which file it was.
    own: Option<(OwnedFd, Stat)>,
}

/// The most that a pipe takes as a whole or not at all, so that what others write does not get in between.
const WHOLE: usize = 4096;

impl Output {
    /// Writes some of this, which begins and mostly ends with a line.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where it takes nothing at the moment: [wait](Output::on). Everything else means that it takes
    /// nothing any more.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stderr = rustix::stdio::stderr();
        let stat = rustix::fs::fstat(stderr)?;
        let bytes = whole_lines(bytes, WHOLE);
        loop {
            let written = match kind(&stat) {
                Kind::Socket => rustix::net::send(stderr, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
                Kind::Reader if self.open(&stat) => rustix::io::write(self.on(), bytes),
                Kind::Reader | Kind::File => rustix::io::write(stderr, bytes),
            };
            match written {
                Err(Errno::INTR) => {}
                // Somebody has made the shared one so that it does not block.
                Err(Errno::AGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
                written => return Ok(written?),
            }
        }
    }

    /// What is to be waited for after `WouldBlock`.
    pub(super) fn on(&self) -> BorrowedFd<'_> {
        self.own.as_ref().map_or(rustix::stdio::stderr(), |(own, _)| own.as_fd())
    }

    pub(super) fn is_open(&self) -> bool {
        self.own.is_some()
    }

    /// Nothing is to be written for a while. A pipe must not be kept open for longer than the program itself does.
    pub(super) fn close(&mut self) {
        self.own = None;
    }

    /// False: it cannot be opened once more.
    fn open(&mut self, stat: &Stat) -> bool {
        let is_same = |other: &Stat| (other.st_dev, other.st_ino) == (stat.st_dev, stat.st_ino);
        if self.own.as_ref().is_some_and(|(_, other)| is_same(other)) {
            return true;
        }
        self.own = open_once_more(stat).map(|own| (own, *stat));
        self.own.is_some()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    /// It blocks until somebody reads.
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

#[cfg(target_os = "linux")]
fn open_once_more(stat: &Stat) -> Option<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    /// The far end of a terminal: opening it makes another terminal.
    const MULTIPLEXER: (u32, u32) = (5, 2);
    if (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == MULTIPLEXER {
        return None;
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(c"/proc/self/fd/2", flags, Mode::empty()).ok()
}

/// Elsewhere the name of a descriptor leads to the same open file, whose settings are everybody's.
#[cfg(not(target_os = "linux"))]
fn open_once_more(_: &Stat) -> Option<OwnedFd> {
    None
}

/// The lines that fit into so many bytes, or as much of a longer one.
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
    fn lines_are_kept_whole_as_far_as_they_fit() {
        assert_eq!(whole_lines(b"one\ntwo\n", 8), b"one\ntwo\n");
        assert_eq!(whole_lines(b"one\ntwo\nthree", 12), b"one\ntwo\n");
        assert_eq!(whole_lines(b"one\ntwo", 7), b"one\ntwo");
        assert_eq!(whole_lines(b"endless", 3), b"end");
    }
}
