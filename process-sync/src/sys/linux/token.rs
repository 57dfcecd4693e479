//! Tokens: the kernel's word on whether a message exists.
//!
//! A token is an open file description with a record lock of its own on a byte of an object's file. It travels with a
//! message. The kernel drops the lock with the last descriptor of the description, wherever that is: in a process, in a
//! socket, or with a process that dies. So the byte is locked for as long as anything has the message.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use executor_core::{
    Error, ErrorKind,
    codec::handles::{self, Handle},
};
use rustix::fs::{Mode, OFlags, open};

use super::File;

/// Where the bytes of tokens begin: behind every file. Record locks need no bytes.
const FIRST: i64 = 1 << 60;

/// Fails, with the reason, if a file cannot travel with the value that this thread encodes.
pub(crate) fn check_can_travel(file: &File) -> Result<(), Error> {
    handles::attach(file).map_err(|reason| Error::new(ErrorKind::Encode, reason.to_string()))
}

/// Makes the token of this number. Returns `None` if there is one.
pub(crate) fn make_token(file: &File, number: u32) -> io::Result<Option<File>> {
    // Opening the descriptor's entry gives another description of the same file.
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let token = open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    match record_lock(token.as_fd(), libc::F_OFD_SETLK, number) {
        Ok(_) => Ok(Some(Handle::new(token))),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns `true` if the token of this number exists. If the system does not say, it may.
pub(crate) fn has_token(file: &File, number: u32) -> bool {
    record_lock(file.as_fd(), libc::F_OFD_GETLK, number).map_or(true, |found| found != libc::F_UNLCK as libc::c_short)
}

/// The structure whose offsets have 64 bits on every system, and the call that takes it.
#[cfg(target_pointer_width = "64")]
use libc::flock as Lock;
#[cfg(not(target_pointer_width = "64"))]
use libc::flock64 as Lock;

fn record_lock(file: BorrowedFd<'_>, command: libc::c_int, number: u32) -> io::Result<libc::c_short> {
    // SAFETY: the structure consists of numbers, for which zero is valid.
    let mut lock: Lock = unsafe { MaybeUninit::zeroed().assume_init() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = FIRST + i64::from(number);
    lock.l_len = 1;
    // SAFETY: the descriptor is open, and the command reads and writes a valid structure.
    #[cfg(target_pointer_width = "64")]
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, &mut lock) };
    // SAFETY: as above.
    #[cfg(not(target_pointer_width = "64"))]
    let result = unsafe { libc::syscall(libc::SYS_fcntl64, file.as_raw_fd(), command, &mut lock) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(lock.l_type) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_exists_until_its_last_descriptor_is_closed() {
        let file = super::super::create(c"test", 4096).expect("a file");
        assert!(!has_token(&file, 7));
        let token = make_token(&file, 7).expect("a token").expect("the first");
        assert!(make_token(&file, 7).expect("no error").is_none(), "it exists");
        let other = make_token(&file, u32::MAX).expect("a token").expect("the first");
        assert!(has_token(&file, 7) && has_token(&file, u32::MAX) && !has_token(&file, 8));
        let again = token.as_fd().try_clone_to_owned().expect("a descriptor");
        drop(token);
        assert!(has_token(&file, 7));
        drop((again, other));
        assert!(!has_token(&file, 7) && !has_token(&file, u32::MAX));
        assert!(make_token(&file, 7).expect("a token").is_some());
    }
}
