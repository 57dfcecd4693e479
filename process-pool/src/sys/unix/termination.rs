//! `SIGTERM` in the worker of a pool.
//!
//! A service manager that ends a program usually sends `SIGTERM` to all of its processes. The program then finishes its
//! running tasks, so the workers must go on. But the pool itself also sends `SIGTERM`, to stop a task. A handler tells
//! the two apart by the sender. Ignoring the signal would not do: a program that a task starts would ignore it, too,
//! while it begins with the default action in place of a handler.
#![allow(unsafe_code)]

use std::{
    ffi::c_void,
    mem::zeroed,
    ptr::null_mut,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
};

/// The process that survives the signal. A child that a task forks inherits the handler, and ends as by default.
static WORKER: AtomicI32 = AtomicI32::new(0);

/// Makes this process survive every `SIGTERM` that its parent has not sent. A task may replace the handler.
pub(crate) fn survive_unless_from_parent() {
    // ORDERING: written before the handler is installed, by the same thread. A forked child has a copy.
    // SAFETY: a system call without arguments.
    WORKER.store(unsafe { libc::getpid() }, Relaxed);
    // SAFETY: zeroes are a valid action: no signals are blocked in addition.
    let mut action: libc::sigaction = unsafe { zeroed() };
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut c_void) = on_termination;
    action.sa_sigaction = handler as usize;
    // System calls of tasks go on where the system can continue them, and code with small stacks has its own.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: the action is read from a valid place, the old one is not asked for, and the handler calls only functions
    // that may be called in one. It cannot fail for this signal.
    unsafe { libc::sigaction(libc::SIGTERM, &action, null_mut()) };
}

extern "C" fn on_termination(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // Both are 0 if the parent is outside of this process's namespace of processes, and so cannot be named.
    // SAFETY: system calls without arguments; the system passes a valid `info`, which has a sender for this signal.
    let (own, parent, sender) = unsafe { (libc::getpid(), libc::getppid(), (*info).si_pid()) };
    // ORDERING: see where it is written.
    if own == WORKER.load(Relaxed) && sender != parent {
        return;
    }
    // The signal is blocked while this runs, so it takes effect on return.
    // SAFETY: the default action is no handler of ours. Both functions may be called in a handler.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
        libc::raise(libc::SIGTERM);
    }
}
