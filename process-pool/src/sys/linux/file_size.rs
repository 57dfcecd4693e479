//! The limit on the size of files.
#![allow(unsafe_code)]

use std::{io, ptr::null_mut};

use crate::sys::signals::{block, empty_set};

/// Runs a call that changes the size of a file. Past the limit of the process (`ulimit -f`) it fails with `EFBIG`,
/// without the signal that would end the program.
pub(super) fn without_file_size_signal<R>(call: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    let mut set = empty_set();
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(&mut set, libc::SIGXFSZ) };
    let was_pending = is_pending(libc::SIGXFSZ);
    let _restored = block(&set);
    let result = call();
    let is_too_large = matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EFBIG));
    if is_too_large && !was_pending {
        let no_wait = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // The kernel has sent the signal to this thread, so this takes it before any that was sent to the process.
        // SAFETY: the set and the time are initialised, and no details are asked for. It is an error if no signal is
        // pending.
        unsafe { libc::sigtimedwait(&set, null_mut(), &no_wait) };
    }
    result
}

fn is_pending(signal: libc::c_int) -> bool {
    let mut pending = empty_set();
    // SAFETY: the set is initialised.
    unsafe { libc::sigpending(&mut pending) == 0 && libc::sigismember(&pending, signal) == 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::signals::is_blocked;

    #[test]
    fn a_signal_that_a_call_has_raised_is_gone_with_its_error() {
        let raises = || {
            // SAFETY: the signal goes to this very thread, which blocks it.
            unsafe { libc::raise(libc::SIGXFSZ) };
            Err::<(), _>(io::Error::from_raw_os_error(libc::EFBIG))
        };
        without_file_size_signal(raises).expect_err("too large");
        assert!(!is_pending(libc::SIGXFSZ) && !is_blocked(libc::SIGXFSZ));
    }

    #[test]
    fn a_signal_that_was_pending_before_is_left_to_the_program() {
        std::thread::spawn(|| {
            let mut set = empty_set();
            // SAFETY: the set is initialised. The signal goes to this very thread, which blocks it until it ends.
            unsafe {
                libc::sigaddset(&mut set, libc::SIGXFSZ);
                libc::pthread_sigmask(libc::SIG_BLOCK, &set, null_mut());
                libc::raise(libc::SIGXFSZ);
            }
            let too_large = || Err::<(), _>(io::Error::from_raw_os_error(libc::EFBIG));
            without_file_size_signal(too_large).expect_err("too large");
            assert!(is_pending(libc::SIGXFSZ));
        })
        .join()
        .expect("it holds");
    }
}
