//! Signal masks and dispositions.
//!
//! The system delivers a signal that is sent to a process to any thread that does not block it. A program that blocks
//! `SIGTERM` in its threads and calls `sigwait` must not lose it to a thread of the pool, so the pool's threads block
//! every signal. A thread inherits the mask of the thread that starts it, so the starter blocks the signals first.
#![allow(unsafe_code)]

use std::{mem::MaybeUninit, ptr::null_mut};

pub(crate) use rustix::process::Signal;

use crate::sys::process::last_signal;

/// The signals that the processor raises in the thread at fault. Blocking them would only hide the fault.
const FAULTS: [libc::c_int; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];

/// Runs `action` with every signal blocked but those of faults. A thread that it starts keeps that mask.
pub(crate) fn with_all_blocked<R>(action: impl FnOnce() -> R) -> R {
    let mut all = empty_set();
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

/// Sets every signal to its default action and ignores `SIGPIPE`, as in a Rust program that has just started.
///
/// A process keeps the ignored signals when it runs a file. They may be meant only for the program that started it.
pub(crate) fn reset() {
    for signal in 1..=last_signal() {
        // SAFETY: the default action is no handler of ours. Numbers that cannot be set (`SIGKILL`, `SIGSTOP`, those
        // that the C library keeps for itself) are refused with an error and stay as they are.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: as above, and ignoring a signal is no handler either.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Unblocks all signals of the calling thread, which is the only one of this process.
///
/// A process also keeps the mask when it runs a file. A worker is started with all signals blocked, so that none
/// reaches it before it has decided which of them it survives.
pub(crate) fn unblock() {
    let none = empty_set();
    // SAFETY: the set is initialised, and no old mask is asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &none, null_mut()) };
}

/// Restores the mask of a thread when it is dropped, even by a panic.
pub(in crate::sys) struct Restored(libc::sigset_t);

impl Drop for Restored {
    fn drop(&mut self) {
        // SAFETY: this is a mask that the thread had, and the old one is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, null_mut()) };
    }
}

/// Blocks these signals in the calling thread until the returned value is dropped.
pub(in crate::sys) fn block(signals: &libc::sigset_t) -> Restored {
    let mut before = empty_set();
    // SAFETY: both sets are initialised.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, signals, &mut before) };
    Restored(before)
}

/// Returns a set without any signal.
pub(in crate::sys) fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises the set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

#[cfg(all(test, target_os = "linux"))]
pub(in crate::sys) fn is_blocked(signal: libc::c_int) -> bool {
    let mut mask = empty_set();
    // SAFETY: no new mask is given, and the old one is written to an initialised set.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
        libc::sigismember(&mask, signal) == 1
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn with_all_blocked_blocks_all_but_faults_in_a_new_thread_and_nothing_afterwards() {
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
}
