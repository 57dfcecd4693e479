//! Where a new process finds out that it is a worker.
//!
//! A function in the program's list of initialisers runs before `main`, in every kind of target: programs, unit tests,
//! integration tests, doc tests, examples, benches. Where such a list does not exist, or the linker dropped the entry,
//! [`init`] does the same as the first line of `main`.
//!
//! A dynamic library has such a list too, which runs when the library is loaded. Nothing is a worker there, because no
//! pool is built there (see [`program`](super::program)), and nothing is greeted that way.
//!
//! What may not be relied on before `main`: the message that std prints on a stack overflow and its setting of
//! `SIGPIPE` are not in place, and a static musl program has no `args()`. The rest of the list is run by the worker
//! ([`initialisers`](super::initialisers)).
#![allow(unsafe_code)]

#[cfg(target_os = "linux")]
use std::ffi::{c_char, c_int};
use std::{
    os::fd::{BorrowedFd, IntoRawFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use rustix::{
    fs::{Mode, OFlags},
    stdio::dup2_stdin,
};

use super::{
    MARKER, initialisers, program, rights,
    setup::Setup,
    standard::{self, NOWHERE},
    token,
};
use crate::worker;

/// Whether this process had its chance to be a worker. If not, a process that it starts would not have one either.
static LOOKED: AtomicBool = AtomicBool::new(false);

/// The entry in the list of initialisers. `used` keeps it although nothing refers to it.
#[used]
#[cfg_attr(
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd"
    ),
    unsafe(link_section = ".init_array")
)]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static BEFORE_MAIN: initialisers::Entry = before_main;

#[cfg(target_os = "linux")]
extern "C" fn before_main(count: c_int, arguments: *const *const c_char, environment: *const *const c_char) {
    become_worker_if_started_as_one(|| {
        remove_marker();
        initialisers::note(&BEFORE_MAIN, count, arguments, environment);
    });
}

#[cfg(not(target_os = "linux"))]
extern "C" fn before_main() {
    become_worker_if_started_as_one(|| {
        remove_marker();
        initialisers::note(&BEFORE_MAIN);
    });
}

/// Takes the marker out of the environment, so that what tasks start does not inherit it. Only of use for tidiness:
/// nothing is a worker for its marker alone.
fn remove_marker() {
    // SAFETY: this is only called before `main`, by the loader. No thread that Rust code has started runs yet, and what
    // another initialiser may have started does not read variables while the program is still being loaded.
    unsafe { std::env::remove_var(MARKER) };
}

/// Turns this process into a worker if a pool has started it as one, and does nothing otherwise.
///
/// The first line of `main` for targets where workers do not start by themselves: where a linker leaves out the list of
/// initialisers. Everywhere else it costs nothing, and need not be there.
///
/// ```
/// process_pool::init();
/// // ... the rest of `main`
/// ```
pub fn init() {
    if !has_looked() {
        // The whole list has run. Other threads may run as well, whatever the documentation asks for, so the marker
        // stays.
        become_worker_if_started_as_one(|| {});
    }
}

/// Whether a process that this one starts would find out that it is a worker.
pub(crate) fn has_looked() -> bool {
    // ORDERING: written before `main`, or by the very thread that goes on to build a pool.
    LOOKED.load(Relaxed)
}

/// Serves, and does not return, in a worker, after it has called `leave`.
fn become_worker_if_started_as_one(leave: impl FnOnce()) {
    LOOKED.store(true, Relaxed);
    let Some(marker) = std::env::var_os(MARKER) else { return };
    // A worker's children inherit its environment, but not its socket.
    let Some(token) = token(&marker) else { return };
    let input = rustix::stdio::stdin();
    // Another copy of this crate has such an entry as well, and serves its own pools.
    if !Setup::is_waiting(input, token, program::copy()) {
        return;
    }
    // From here on this process is a worker or nothing: a pool waits for it, or it is an attempt to be one, and either
    // way the program's own code must not run.
    if let Err(reason) = rights::check_greeted(input) {
        worker::refuse_to_start(&reason);
    }
    leave();
    match take_socket(input) {
        Ok(socket) => worker::serve(socket),
        Err(error) => worker::fail_to_start(&error),
    }
}

/// Takes a variable out of the environment, so that what tasks start does not inherit it. For a worker that has just
/// come to life.
pub(crate) fn take_variable(name: &str) -> Option<std::ffi::OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: as in `become_worker_if_started_as_one`, no other thread runs yet.
    unsafe { std::env::remove_var(name) };
    Some(value)
}

/// Moves the socket from the standard input to a descriptor that children do not inherit, and leaves an empty standard
/// input behind, so that a task that reads it sees the end.
fn take_socket(input: BorrowedFd<'_>) -> std::io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(input, 3)?;
    match rustix::fs::open(NOWHERE, OFlags::RDONLY, Mode::empty()) {
        Ok(nowhere) => dup2_stdin(&nowhere)?,
        // Without a `/dev`, a pipe that nobody writes to is as empty.
        Err(_) => dup2_stdin(rustix::pipe::pipe()?.0)?,
    }
    // Where the program itself has none of the three standard descriptors, the next file to be opened would become what
    // tasks print to.
    for nowhere in standard::fill(OFlags::empty()) {
        let _ = nowhere.into_raw_fd();
    }
    Ok(socket)
}
