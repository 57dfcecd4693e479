//! The one place where panics of user code are caught and made values.
//!
//! `catch_unwind` only yields the payload; the place and the backtrace are known to the panic hook alone. So the first
//! catch of the program chains a hook that notes both down for the thread that panics inside a catch. Inside a task that
//! hook is silent, because the panic is delivered to whoever holds the future. Everywhere else it goes on to the hook
//! that was there before, so nothing is swallowed.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use crate::{error::Panic, task};

thread_local! {
    static TRACE: RefCell<Trace> = const { RefCell::new(Trace { silent: false, found: None }) };
}

struct Trace {
    /// Whether a panic of this thread is going to be delivered as a value.
    silent: bool,
    found: Option<(Option<String>, Option<String>)>,
}

/// Runs a task's code. A panic is not printed: it becomes the task's error.
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Panic> {
    chain_hook();
    let before = set_silent(true);
    let outcome = catch_unwind(AssertUnwindSafe(code)).map_err(describe);
    set_silent(before);
    outcome
}

/// Runs user code that nobody waits for: a callback, a waker, the `Drop` of a value. A panic is printed and ends here.
pub(crate) fn contain(code: impl FnOnce()) {
    let before = set_silent(false);
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        dispose(payload);
    }
    set_silent(before);
}

/// Says whether panics of this thread are delivered as values from here on; answers what held before.
///
/// A thread whose locals are gone already is ending; then a panic is printed, which is the safe side.
fn set_silent(silent: bool) -> bool {
    TRACE
        .try_with(|trace| {
            let mut trace = trace.borrow_mut();
            trace.found = None;
            std::mem::replace(&mut trace.silent, silent)
        })
        .unwrap_or(false)
}

fn describe(payload: Box<dyn Any + Send>) -> Panic {
    let message = match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_string(),
        None => match payload.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => "a payload that is not text".to_string(),
        },
    };
    dispose(payload);
    let found = TRACE.try_with(|trace| trace.borrow_mut().found.take()).ok().flatten();
    let (location, backtrace) = found.unwrap_or_default();
    Panic::new(message, location, backtrace, task::worker_name().to_string())
}

/// The payload of a panic is a user's value too, and its `Drop` may panic.
fn dispose(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

fn chain_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let silent = TRACE.try_with(|trace| {
                let Ok(mut trace) = trace.try_borrow_mut() else { return false };
                if !trace.silent {
                    return false;
                }
                let backtrace = Backtrace::capture();
                let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
                trace.found = Some((info.location().map(ToString::to_string), backtrace));
                true
            });
            if silent != Ok(true) {
                previous(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_its_place() {
        let panic = catch(|| panic!("number {}", 7)).expect_err("it panicked");
        assert_eq!(panic.message(), "number 7");
        assert!(panic.location().expect("the hook noted the place").contains("catch.rs:"));
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_is_contained() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in the drop of a payload");
            }
        }
        let panic = catch(|| std::panic::panic_any(Bomb)).expect_err("it panicked");
        assert_eq!(panic.message(), "a payload that is not text");
    }
}
