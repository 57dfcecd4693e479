//! The initialisers of the program that come after this crate's own.
//!
//! A program has a list of functions that run before `main`: constructors of C++, and the registrations of crates like
//! `inventory`, `ctor` and `typetag`. This crate's entry is one of them, somewhere in the list. A worker never returns
//! from it, so it runs the rest of the list itself, before the first task and before the pool's initializer: functions
//! find in a worker what they find in `main`. The initialisers of dynamic libraries have all run before the first of
//! the program's.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::program;
use crate::sys::initialisers;

/// Whether this process is a worker that does not serve yet.
static IS_STARTING: AtomicBool = AtomicBool::new(false);

/// Runs the rest of the list. Does nothing the second time, or if the whole list has run. The latter is the case in a
/// worker that was entered in `main`.
///
/// This runs user code and does not catch panics: as before any `main`, a panic ends the process.
pub(crate) fn run_rest() {
    // ORDERING: a thread that an initialiser starts sees this, because starting a thread orders what came before.
    IS_STARTING.store(true, Relaxed);
    initialisers::run_rest(program::image());
    IS_STARTING.store(false, Relaxed);
}

/// Returns `true` if the caller is an initialiser in a worker. An initialiser that builds a pool would also build one
/// in each worker of that pool, without end.
pub(crate) fn are_running() -> bool {
    IS_STARTING.load(Relaxed)
}
