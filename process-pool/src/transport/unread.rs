//! Whether the other side of a socket, or of a pipe, has read what was sent to it.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

/// Whether something that was sent is still to be read. Systems that do not tell answer no.
#[cfg(target_os = "linux")]
pub(super) fn is_unread(socket: BorrowedFd<'_>) -> bool {
    use std::os::fd::AsRawFd;
    let mut unread: libc::c_int = 0;
    // SAFETY: the request writes one integer, for which there is room.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut unread) };
    answer == 0 && unread > 0
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_unread(_: BorrowedFd<'_>) -> bool {
    false
}

/// How many bytes are in a pipe, of which this is either end, or are to be read from a socket. None: it is neither, or
/// the system does not tell.
pub(crate) fn bytes_in_pipe(pipe: BorrowedFd<'_>) -> Option<u64> {
    use std::os::fd::AsRawFd;
    let mut unread: libc::c_int = 0;
    // SAFETY: the request writes one integer, for which there is room.
    let answer = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut unread) };
    if answer == 0 { u64::try_from(unread).ok() } else { None }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn both_ends_of_a_pipe_know_what_is_in_it() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        rustix::io::write(&writer, b"seven..").expect("written");
        assert_eq!((bytes_in_pipe(reader.as_fd()), bytes_in_pipe(writer.as_fd())), (Some(7), Some(7)));
    }

    #[test]
    fn what_was_sent_is_unread_until_all_of_it_was_read() {
        let (ours, theirs) = crate::start::spawn::socketpair().expect("a socketpair");
        assert!(!is_unread(ours.as_fd()));
        rustix::io::write(&ours, b"four").expect("sent");
        assert!(is_unread(ours.as_fd()));
        rustix::io::read(&theirs, &mut [0_u8; 2]).expect("received");
        assert!(is_unread(ours.as_fd()));
        rustix::io::read(&theirs, &mut [0_u8; 2]).expect("received");
        assert!(!is_unread(ours.as_fd()));
    }
}
