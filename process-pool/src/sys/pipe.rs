//! The number of bytes in a pipe.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Returns how many bytes can be read from a pipe or a socket. Either end of a pipe may be given. Returns `None` for
/// other files, and where the system does not tell.
pub(crate) fn bytes_in_pipe(pipe: BorrowedFd<'_>) -> Option<u64> {
    let mut unread: libc::c_int = 0;
    // SAFETY: the request writes one integer, and `unread` has the space for it.
    let result = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut unread) };
    if result == 0 { u64::try_from(unread).ok() } else { None }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn both_ends_of_a_pipe_tell_how_full_it_is() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        rustix::io::write(&writer, b"seven..").expect("written");
        assert_eq!((bytes_in_pipe(reader.as_fd()), bytes_in_pipe(writer.as_fd())), (Some(7), Some(7)));
    }
}
