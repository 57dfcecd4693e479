//! Keeps what workers write to their standard error off the console, unless the tests fail.
#![allow(unsafe_code)]

use std::{
    env,
    os::raw::{c_int, c_void},
    ptr,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
};

/// Turns the module off: with any value, everything is written as usual. A test sets it for its own children, which
/// have their own ways to look at what is written.
const TEST_OUTPUT: &str = "TEST_OUTPUT";

/// The console.
static CONSOLE: AtomicI32 = AtomicI32::new(-1);
/// The file that is the standard error of this process.
static FILE: AtomicI32 = AtomicI32::new(-1);
/// This process. A forked child is another one.
static PROCESS: AtomicI32 = AtomicI32::new(-1);

/// What [`quiet_workers`](crate::quiet_workers) calls.
#[doc(hidden)]
pub extern "C" fn keep_standard_error() {
    if env::var_os(TEST_OUTPUT).is_some() {
        return;
    }
    // SAFETY: no other thread exists before `main`.
    unsafe { env::set_var(TEST_OUTPUT, "kept") };
    // SAFETY: system calls with a valid name and plain numbers.
    let (file, console) = unsafe {
        (libc::memfd_create(c"standard-error".as_ptr(), libc::MFD_CLOEXEC), libc::fcntl(2, libc::F_DUPFD_CLOEXEC, 100))
    };
    if file < 0 || console < 0 {
        return;
    }
    // ORDERING: no other thread exists, and the handlers run in threads that are made later.
    CONSOLE.store(console, Relaxed);
    FILE.store(file, Relaxed);
    PROCESS.store(std::process::id() as i32, Relaxed);
    // SAFETY: both descriptors are open. The handlers use only what is async-signal-safe, and are functions that live
    // as long as the program.
    unsafe {
        libc::fcntl(file, libc::F_SETFL, libc::O_APPEND);
        libc::dup2(file, 2);
        on_exit(at_exit, ptr::null_mut());
        libc::signal(libc::SIGABRT, at_abort as extern "C" fn(c_int) as libc::sighandler_t);
    }
}

unsafe extern "C" {
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

extern "C" fn at_exit(code: c_int, _: *mut c_void) {
    if code != 0 {
        show();
    }
}

extern "C" fn at_abort(signal: c_int) {
    show();
    // SAFETY: both are async-signal-safe. The signal ends the process when this returns.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// Copies the file to the console.
fn show() {
    // SAFETY: a system call without arguments.
    if PROCESS.load(Relaxed) != unsafe { libc::getpid() } {
        return;
    }
    let (file, console) = (FILE.load(Relaxed), CONSOLE.load(Relaxed));
    let mut buffer = [0_u8; 4096];
    let mut position = 0;
    loop {
        // SAFETY: the buffer has this length.
        let length = unsafe { libc::pread(file, buffer.as_mut_ptr().cast(), buffer.len(), position) };
        // SAFETY: so much of the buffer was read.
        if length <= 0 || unsafe { libc::write(console, buffer.as_ptr().cast(), length as usize) } < 0 {
            return;
        }
        position += length as libc::off_t;
    }
}
