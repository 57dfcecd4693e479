//! Loads a plug-in, for `tests/plugins.rs`.
//!
//! `host <library>` loads the library and calls it. Without an argument it calls a library that was loaded when the
//! program started.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr::null,
};

fn main() {
    println!("main runs");
    let library = std::env::args().nth(1).map(|path| CString::new(path).expect("no zero byte"));
    let path = library.as_ref().map_or(null(), |path| path.as_ptr());
    // SAFETY: the path ends with a zero byte, or is null, which names the program with its libraries.
    let handle = unsafe { libc::dlopen(path, libc::RTLD_NOW) };
    assert!(!handle.is_null(), "{}", last_error());
    let address = find(handle, c"builds_pools");
    // SAFETY: the library defines a function of this type.
    let function = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> c_int>(address) };
    std::process::exit(function())
}

fn find(handle: *mut c_void, name: &CStr) -> *mut c_void {
    // SAFETY: the handle is open, and the name ends with a zero byte.
    let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
    assert!(!address.is_null(), "{}", last_error());
    address
}

fn last_error() -> String {
    // SAFETY: the text is valid until the next call, and it is copied before.
    let text: *const c_char = unsafe { libc::dlerror() };
    assert!(!text.is_null());
    // SAFETY: as above.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
