//! The point at which a new process finds out that it is a worker.
//!
//! A function in the program's list of initialisers runs before `main`, in every kind of target: programs, unit tests,
//! integration tests, doc tests, examples, benches. Where such a list does not exist, or the linker dropped the entry,
//! [`init`] does the same as the first line of `main`.
//!
//! A dynamic library has such a list too, which runs when the library is loaded. It never makes a worker, because a
//! library builds no pool (see [`program`]) and so never gets a greeting.
//!
//! Before `main`, std's message on a stack overflow and its setting of `SIGPIPE` are not in place, and a static musl
//! program has no `args()`. The rest of the list is run by the worker ([`initialisers`](super::initialisers)).
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{
    environment::{GROUP, MARKER, take_variable, token},
    program, rights,
    setup::Setup,
};
use crate::{
    sys::{
        initialisers::{Call, before_main},
        standard,
    },
    worker,
};

/// Whether this process has checked whether it is a worker. If it has not, a process that it starts would not check
/// either.
static HAS_CHECKED: AtomicBool = AtomicBool::new(false);

before_main!(enter_before_main);

fn enter_before_main(call: Call) {
    become_worker_if_started_as_one(|| {
        // The marker is removed only for tidiness: without a greeting it makes no worker. SAFETY: the loader calls this
        // before `main`. What another initialiser may have started does not read variables while the program is still
        // being loaded.
        unsafe { take_variable(MARKER) };
        call.note();
    });
}

/// Turns this process into a worker if a pool has started it as one, and does nothing otherwise.
///
/// Call this in the first line of `main` on targets where workers do not start by themselves, because the linker leaves
/// out the list of initialisers. Everywhere else it costs nothing, and is not needed.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
/// concurrent_futures::init();
/// // ... the rest of `main`
/// ```
pub fn init() {
    if !has_checked() {
        // The whole list has run. Other threads may be running in spite of the documentation, so the marker stays.
        become_worker_if_started_as_one(|| {});
    }
}

/// Returns `true` if this process has checked whether it is a worker. Then a process that it starts checks as well.
pub(crate) fn has_checked() -> bool {
    // ORDERING: written before `main`, or by the thread that then builds a pool.
    HAS_CHECKED.load(Relaxed)
}

/// Serves and does not return if this process is a worker, after it has called `prepare`. Otherwise does nothing.
fn become_worker_if_started_as_one(prepare: impl FnOnce()) {
    HAS_CHECKED.store(true, Relaxed);
    // A worker's children inherit its environment, but not its socket.
    let Some(token) = token() else { return };
    let input = standard::input();
    // Another copy of this crate has such an entry as well, and serves its own pools.
    if !Setup::is_waiting(input, token, program::copy()) {
        return;
    }
    // A pool waits for this process to serve, or another program tries to turn it into a worker. In both cases the
    // program's own code must not run.
    if let Err(reason) = rights::check_greeted(input) {
        worker::refuse_to_start(&reason);
    }
    prepare();
    // A task that reads the standard input sees its end.
    match standard::take_input(input) {
        Ok(socket) => {
            // SAFETY: this process has just started, and no code of the program has started a thread.
            let group = unsafe { take_variable(GROUP) };
            worker::serve(socket, group.as_deref())
        }
        Err(error) => worker::fail_to_start(&error),
    }
}
