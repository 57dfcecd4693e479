//! The signal masks of the pool's own threads, and the signals that a system call of theirs may raise.
//!
//! A signal that is sent to a process goes to any of its threads that does not block it. A program that blocks
//! `SIGTERM` in its threads and calls `sigwait` must not lose it to a thread that it does not know of, so the pool's
//! threads block every signal. A thread inherits the mask of the one that starts it, so there is no moment in which it
//! does not.
#![allow(unsafe_code)]

use std::{io, mem::MaybeUninit, ptr::null_mut};

/// What the processor raises in the thread that is at fault. Blocking these would only hide the fault.
const FAULTS: [libc::c_int; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];

/// Runs this with every signal blocked that can be. A thread that it starts keeps that mask.
pub(crate) fn with_all_blocked<R>(action: impl FnOnce() -> R) -> R {
    let mut all = set();
    // SAFETY: the set is initialised.
    unsafe {
        libc::sigfillset(&mut all);
        for fault in FAULTS {
            libc::sigdelset(&mut all, fault);
        }
    }
    let _restored = block(&all);
    action()
}

/// Runs a call that changes the size of a file. Beyond the limit of the process (`ulimit -f`) it fails with `EFBIG`,
/// and without the signal that would end the program.
#[cfg(target_os = "linux")]
pub(crate) fn without_file_size_signal<R>(call: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    let mut set = set();
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(&mut set, libc::SIGXFSZ) };
    let was_pending = is_pending(libc::SIGXFSZ);
    let _restored = block(&set);
    let result = call();
    let is_too_large = matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EFBIG));
    if is_too_large && !was_pending {
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // The kernel has sent it to this thread, so it is this thread's before any that was sent to the process.
        // SAFETY: the set and the time are initialised, and no details are asked for. Nothing pending is an error.
        unsafe { libc::sigtimedwait(&set, null_mut(), &at_once) };
    }
    result
}

/// Restores the mask of a thread when it is dropped, even by a panic.
struct Restored(libc::sigset_t);

impl Drop for Restored {
    fn drop(&mut self) {
        // SAFETY: this is a mask that the thread had, and the old one is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, null_mut()) };
    }
}

fn block(signals: &libc::sigset_t) -> Restored {
    let mut before = set();
    // SAFETY: both sets are initialised.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, signals, &mut before) };
    Restored(before)
}

/// A set without any signal.
fn set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: there is room for the set, and `sigemptyset` initialises it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

#[cfg(target_os = "linux")]
fn is_pending(signal: libc::c_int) -> bool {
    let mut pending = set();
    // SAFETY: the set is initialised.
    unsafe { libc::sigpending(&mut pending) == 0 && libc::sigismember(&pending, signal) == 1 }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::ptr::null;

    use super::*;

    fn is_blocked(signal: libc::c_int) -> bool {
        let mut mask = set();
        // SAFETY: no new mask is given, and there is room for the old one.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, null(), &mut mask);
            libc::sigismember(&mask, signal) == 1
        }
    }

    #[test]
    fn a_thread_that_is_started_so_blocks_all_signals_but_faults_and_its_starter_is_as_before() {
        let before = is_blocked(libc::SIGTERM);
        let thread = with_all_blocked(|| {
            std::thread::spawn(|| {
                let others = [libc::SIGTERM, libc::SIGINT, libc::SIGCHLD, libc::SIGPIPE, libc::SIGRTMAX()];
                others.into_iter().all(is_blocked) && !FAULTS.into_iter().any(is_blocked)
            })
        });
        assert!(thread.join().expect("it does not panic"));
        assert_eq!(is_blocked(libc::SIGTERM), before);
    }

    #[test]
    fn a_mask_is_restored_after_a_panic() {
        let before = is_blocked(libc::SIGUSR1);
        let outcome = std::panic::catch_unwind(|| with_all_blocked(|| panic!("on purpose")));
        assert!(outcome.is_err());
        assert_eq!(is_blocked(libc::SIGUSR1), before);
    }

    #[test]
    fn a_signal_that_a_call_has_raised_is_gone_with_its_error() {
        let raises = || {
            // SAFETY: it goes to this very thread, which blocks it.
            unsafe { libc::raise(libc::SIGXFSZ) };
            Err::<(), _>(io::Error::from_raw_os_error(libc::EFBIG))
        };
        without_file_size_signal(raises).expect_err("too large");
        assert!(!is_pending(libc::SIGXFSZ) && !is_blocked(libc::SIGXFSZ));
    }

    #[test]
    fn a_signal_that_was_pending_before_is_left_to_the_program() {
        std::thread::spawn(|| {
            let mut set = set();
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
