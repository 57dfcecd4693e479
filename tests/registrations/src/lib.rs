//! Constructors and registrations of a dependency, which run before `main` and note that they ran.
#![allow(unsafe_code)]

use std::{
    ffi::{c_char, c_int},
    sync::{
        Mutex,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
};

/// A registration with `inventory`.
#[derive(Debug)]
pub struct Plugin(pub &'static str);
inventory::collect!(Plugin);
inventory::submit!(Plugin("of a dependency"));

/// The constructors that have run. The flag is `true` if the process still had the marker of a worker, which the
/// constructor of the pool removes.
pub static RUN: Mutex<Vec<(&str, bool)>> = Mutex::new(Vec::new());

/// A function of the program that the constructor of this dependency calls.
pub static HOOK: Mutex<Option<fn()>> = Mutex::new(None);

/// The number of arguments that the loader has passed, or -1 before the constructor has run.
pub static ARGUMENTS: AtomicI32 = AtomicI32::new(-1);

/// Records that a constructor runs.
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

/// A constructor in the form of a C compiler. The loader passes it the arguments of the program.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
static WITH_ARGUMENTS: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = with_arguments;

extern "C" fn with_arguments(count: c_int, _: *const *const c_char, _: *const *const c_char) {
    ARGUMENTS.store(count, Relaxed);
}
