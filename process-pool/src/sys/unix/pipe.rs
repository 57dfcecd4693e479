//! Pipes: making one, how many bytes are in one, and waiting for one.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// Makes a pipe, and returns the reading end and the writing end. Both are closed on exec.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn new_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// Makes a pipe, and returns the reading end and the writing end. Both are closed on exec, but not by a program that
/// another thread starts at the same moment: these systems cannot set the flag when they make the pipe.
#[cfg(target_vendor = "apple")]
pub(crate) fn new_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe()?;
    for end in [&reader, &writer] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok((reader, writer))
}

/// Writes one byte to a pipe that may be empty. An error means that its reader is gone.
pub(crate) fn write_byte(pipe: impl AsFd) -> io::Result<()> {
    rustix::io::write(pipe, &[0])?;
    Ok(())
}

/// Returns how many bytes can be read from a pipe or a socket. Either end of a pipe may be given. Returns `None` for
/// other files, and where the system does not tell.
pub(crate) fn bytes_in_pipe(pipe: BorrowedFd<'_>) -> Option<u64> {
    let mut unread: libc::c_int = 0;
    // SAFETY: the request writes one integer, and `unread` has the space for it.
    let result = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut unread) };
    if result == 0 { u64::try_from(unread).ok() } else { None }
}

/// Makes reads from a pipe return `WouldBlock` instead of waiting.
pub(crate) fn do_not_wait(pipe: impl AsFd) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(pipe, true)?)
}

/// Waits until a file takes bytes or there are bytes in the pipe. It may return without a reason.
pub(crate) fn wait_for_space(file: BorrowedFd<'_>, pipe: impl AsFd) {
    poll_or_rest(&mut [PollFd::new(&file, PollFlags::OUT), PollFd::new(&pipe, PollFlags::IN)], None);
}

/// Waits until there are bytes in the pipe, at most this long, which is less than a second. It may return without a
/// reason.
pub(crate) fn wait_for_bytes(pipe: impl AsFd, at_most: Duration) {
    let at_most = Timespec { tv_sec: 0, tv_nsec: at_most.subsec_nanos().into() };
    poll_or_rest(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&at_most));
}

/// Polls. Where that is impossible, because the limit of descriptors is lower than the number of these, it rests
/// instead, so that a caller that tries again and again does not take a processor.
fn poll_or_rest(files: &mut [PollFd<'_>], at_most: Option<&Timespec>) {
    const REST: Duration = Duration::from_millis(10);
    match poll(files, at_most) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(_) => thread::sleep(REST),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_pipe_tell_how_full_it_is() {
        let (reader, writer) = new_pipe().expect("a pipe");
        rustix::io::write(&writer, b"seven..").expect("written");
        assert_eq!((bytes_in_pipe(reader.as_fd()), bytes_in_pipe(writer.as_fd())), (Some(7), Some(7)));
    }
}
