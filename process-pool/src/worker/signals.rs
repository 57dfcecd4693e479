//! The signal settings of a worker.
//!
//! Running a file keeps the signals that were ignored, and the mask, and both may be the parent's private business: a
//! worker that inherits a blocked `SIGTERM` cannot be asked to stop. So everything is set to what a fresh program has.
#![allow(unsafe_code)]

/// Sets every signal to its default, unblocks all, and ignores `SIGPIPE`, as Rust programs do.
pub(super) fn reset() {
    let last = libc::SIGRTMAX();
    for signal in 1..=last {
        // SAFETY: the default action is no handler of ours; numbers that cannot be set (`SIGKILL`, `SIGSTOP`, those
        // that the C library keeps for itself) are refused with an error and stay as they are.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: as above; ignoring is no handler either.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let mut none = std::mem::MaybeUninit::uninit();
    // SAFETY: `none` is initialised by `sigemptyset` before it is read, and no old mask is asked for.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}
