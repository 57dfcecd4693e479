//! What runs before `main` because a dependency of the program asks for it, and notes down that it has run.
#![allow(unsafe_code)]

use std::{
    ffi::{c_char, c_int},
    sync::{
        Mutex,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
};

/// What is registered with `inventory`.
#[derive(Debug)]
pub struct Plugin(pub &'static str);
inventory::collect!(Plugin);
inventory::submit!(Plugin("of a dependency"));

/// The constructors that have run. The flag says that the process still had the marker of a worker then: the pool's own
/// entry had not been reached.
pub static RUN: Mutex<Vec<(&str, bool)>> = Mutex::new(Vec::new());

/// What the program wants to happen in a constructor of its dependency.
pub static HOOK: Mutex<Option<fn()>> = Mutex::new(None);

/// The number of arguments that the loader has passed. -1: the entry has not run.
pub static ARGUMENTS: AtomicI32 = AtomicI32::new(-1);

/// To be called by a constructor.
pub fn note(name: &'static str) {
    let has_marker = std::env::var_os("CONCURRENT_FUTURES_WORKER").is_some();
    RUN.lock().expect("no panic").push((name, has_marker));
}

#[ctor::ctor(unsafe)]
fn of_a_dependency() {
    note("of a dependency");
    let hook = *HOOK.lock().expect("no panic");
    if let Some(hook) = hook {
        hook();
    }
}

/// An entry as C compilers make it, which the loader passes the arguments.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
static WITH_ARGUMENTS: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = with_arguments;

extern "C" fn with_arguments(count: c_int, _: *const *const c_char, _: *const *const c_char) {
    ARGUMENTS.store(count, Relaxed);
}
