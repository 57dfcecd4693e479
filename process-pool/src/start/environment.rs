//! The environment variables that a parent sets for its workers.
#![allow(unsafe_code)]

use std::ffi::{OsStr, OsString};

use executor_core::{Error, ErrorKind};

/// The marker. Its value is the token that the greeting must repeat.
pub(crate) const MARKER: &str = "CONCURRENT_FUTURES_WORKER";

/// How many pools of workers lie between the user's program and this process.
pub(crate) const DEPTH: &str = "CONCURRENT_FUTURES_DEPTH";

/// The control group that a worker must join.
pub(crate) const GROUP: &str = "CONCURRENT_FUTURES_GROUP";

/// From this depth on a worker may not build a pool of its own, because pools that start pools would never end.
pub(crate) const DEEPEST: u32 = 8;

/// Returns `true` if a variable belongs to this module.
fn is_own_variable(key: &OsStr) -> bool {
    key == MARKER || key == DEPTH || key == GROUP
}

/// Checks the variables that a user wants workers to have.
///
/// # Errors
///
/// [`InvalidArgument`](ErrorKind::InvalidArgument) for what no environment can have, and for a variable of this module.
pub(crate) fn check_variables(variables: &[(OsString, OsString)]) -> Result<(), Error> {
    let refuse = |message: String| Err(Error::new(ErrorKind::InvalidArgument, message));
    let bad = |text: &OsString| text.as_encoded_bytes().contains(&0);
    for (key, value) in variables {
        if key.is_empty() || key.as_encoded_bytes().contains(&b'=') || bad(key) || bad(value) {
            return refuse(format!(
                "{key:?} cannot be an environment variable: its name is empty or has a `=`, or there is a zero byte"
            ));
        }
        if is_own_variable(key) {
            return refuse(format!("{key:?} is a variable that the pool sets itself: do not set it"));
        }
    }
    Ok(())
}

/// Returns how deep this process is. A value that cannot be parsed counts as too deep, because it was not set by a
/// pool.
pub(crate) fn depth() -> u32 {
    match std::env::var_os(DEPTH) {
        None => 0,
        Some(value) => value.to_str().and_then(|value| value.parse().ok()).unwrap_or(DEEPEST),
    }
}

/// Returns the token in this process's marker.
pub(super) fn token() -> Option<u64> {
    u64::from_str_radix(std::env::var_os(MARKER)?.to_str()?, 16).ok()
}

/// Removes a variable from the environment, so that programs started by tasks do not inherit it, and returns its value.
///
/// # Safety
///
/// - The process has just started: no thread that Rust code has started runs.
pub(super) unsafe fn take_variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: no Rust code in another thread reads or writes the environment, by the contract.
    unsafe { std::env::remove_var(name) };
    Some(value)
}
