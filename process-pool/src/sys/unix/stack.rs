//! Distinguishing a stack overflow from another bad memory access.
//!
//! Rust programs install a handler for that before `main`, which a worker never reaches. This handler checks whether
//! the address lies at the end of the stack, writes a message if it does, and lets the signal take its default action.
#![allow(unsafe_code)]

use std::{
    ffi::{c_int, c_void},
    mem::MaybeUninit,
    ptr::null_mut,
    sync::OnceLock,
};

use crate::sys::process::stack_end;

/// The data of the handler.
struct Watch {
    /// The lowest address of the stack.
    end: usize,
    message: &'static [u8],
    on_overflow: fn(),
}

static WATCH: OnceLock<Watch> = OnceLock::new();

/// How far around the end of the stack a bad access counts as an overflow, because large frames step over the end.
const AROUND: usize = 1 << 20;

/// Installs the handler for the calling thread. On an overflow it calls `on_overflow`, which must be safe to call in a
/// signal handler, and writes the message to the standard error. If the installation fails, only the message is lost.
pub(crate) fn watch(message: &'static [u8], on_overflow: fn()) {
    let Some(end) = stack_end() else { return };
    if WATCH.set(Watch { end, message, on_overflow }).is_err() {
        return;
    }
    // A stack that has overflowed cannot carry the handler, so it has a stack of its own, which lives as long as the
    // process. It is not filled, because a page that is never written to takes no memory.
    let stack: &'static mut [MaybeUninit<u8>] = Box::leak(Box::new_uninit_slice(64 * 1024));
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
        // SAFETY: the handler only does what is allowed in one: it reads memory, calls `on_overflow`, writes, and sets
        // a signal's action.
        unsafe { libc::sigaction(signal, action, null_mut()) };
    }
}

extern "C" fn on_bad_access(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel passes a valid description of the signal.
    let (address, is_access) = unsafe { ((*info).si_addr().addr(), (*info).si_code > 0) };
    if let Some(watch) = WATCH.get().filter(|watch| is_access && address.abs_diff(watch.end) < AROUND) {
        (watch.on_overflow)();
        // SAFETY: the bytes are a constant.
        unsafe { libc::write(2, watch.message.as_ptr().cast(), watch.message.len()) };
    }
    // SAFETY: the default action is no handler of ours. The access is repeated on return, and ends the process.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    if !is_access {
        // The signal was sent by a process, so nothing raises it again on return. It waits until the handler returns.
        // SAFETY: raising is allowed in a handler.
        unsafe { libc::raise(signal) };
    }
}
