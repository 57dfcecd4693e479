//! Writing to a pipe that nobody reads must be an error, and not the end of a program that has left `SIGPIPE` as C has it.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

/// Keeps `SIGPIPE` from this thread: the signal goes to the thread that has written, where it stays for ever, and the write
/// answers an error.
pub(super) fn block() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: there is room for the set, and it is initialised before anything is added.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
    }
    // SAFETY: the set is initialised, and the old one is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
}
