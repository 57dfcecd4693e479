//! Telling a stack overflow from another bad memory access.
//!
//! Rust programs do that in `main`'s preparations, which a worker never reaches. So a worker has a handler of its own:
//! it looks whether the address lies at the end of the stack, says so, and lets the signal do what it always does.
#![allow(unsafe_code)]

use std::{
    ffi::{c_int, c_void},
    mem::MaybeUninit,
    ptr::null_mut,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// What the last words of a worker contain whose stack overflowed. Also what std says of other threads.
pub(crate) const STACK_OVERFLOW: &str = "has overflowed its stack";

const MESSAGE: &[u8] = b"\nthe worker's main thread has overflowed its stack\n";

/// The lowest address of the main thread's stack.
static STACK_END: AtomicUsize = AtomicUsize::new(0);

/// How far around the end of the stack a bad access counts as an overflow: large frames step over the end.
const AROUND: usize = 1 << 20;

/// Installs the handler for the calling thread. What fails leaves things as they were: the message is lost then, and
/// nothing else.
pub(super) fn watch() {
    let Some(end) = stack_end() else { return };
    // ORDERING: read in a signal handler of this very thread, or of one started later.
    STACK_END.store(end, Relaxed);
    // A stack that has overflowed cannot carry the handler, so it has a stack of its own, which lives as long as the
    // process.
    let stack: &'static mut [u8] = vec![0_u8; 64 * 1024].leak();
    let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    // SAFETY: the memory is leaked, so it stays; no old stack is asked for.
    if unsafe { libc::sigaltstack(&stack, null_mut()) } != 0 {
        return;
    }
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroes are a valid `sigaction`: default handling, no flags, an empty mask.
    let action = unsafe { action.assume_init_mut() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_bad_access;
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the handler only does what is allowed in one: it reads two words, writes, and sets a signal's action.
        unsafe { libc::sigaction(signal, action, null_mut()) };
    }
}

extern "C" fn on_bad_access(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel passes a valid description of the signal.
    let (address, is_access) = unsafe { ((*info).si_addr().addr(), (*info).si_code > 0) };
    if is_access && address.abs_diff(STACK_END.load(Relaxed)) < AROUND {
        if let Some(report) = super::REPORT.get() {
            report.note_stack_overflow();
        }
        // SAFETY: the bytes are a constant.
        unsafe { libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len()) };
    }
    // SAFETY: the default action is no handler of ours. The access is repeated on return, and ends the process.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    if !is_access {
        // No access: somebody has sent the signal, and it has to be sent again. It waits until the handler returns.
        // SAFETY: raising is allowed in a handler.
        unsafe { libc::raise(signal) };
    }
}

#[cfg(target_os = "linux")]
fn stack_end() -> Option<usize> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: it initialises the attributes if it answers 0.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut start, mut size) = (null_mut(), 0);
    // SAFETY: the attributes are initialised, and the results are written where they belong.
    let answer = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size) };
    // SAFETY: initialised above, and not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (answer == 0).then(|| start.addr())
}

#[cfg(not(target_os = "linux"))]
fn stack_end() -> Option<usize> {
    None
}
