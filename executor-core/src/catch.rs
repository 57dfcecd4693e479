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
    static TRACE: RefCell<Trace> = const { RefCell::new(Trace::LOUD) };
}

struct Trace {
    /// Whether a panic of this thread is going to be delivered as a value.
    silent: bool,
    /// The place and the backtrace of the last panic that was silent.
    found: Option<(Option<String>, Option<String>)>,
}

impl Trace {
    const LOUD: Trace = Trace { silent: false, found: None };
}

/// Runs a task's code. A panic is not printed: it becomes the task's error.
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Panic> {
    chain_hook();
    let before = replace_trace(Trace { silent: true, found: None });
    let outcome = catch_unwind(AssertUnwindSafe(code)).map_err(describe);
    replace_trace(before);
    outcome
}

/// Runs user code that nobody waits for: a callback, a waker, the `Drop` of a value. A panic is printed and ends here.
pub(crate) fn contain(code: impl FnOnce()) {
    let before = replace_trace(Trace::LOUD);
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        dispose(payload);
    }
    replace_trace(before);
}

/// Says what becomes of panics of this thread from here on; answers what held before, to be put back.
///
/// What was found is part of that: a panic may be on its way through code whose `Drop` catches another.
fn replace_trace(new: Trace) -> Trace {
    // A thread whose locals are gone already is ending; then a panic is printed, which is the safe side.
    TRACE.try_with(|trace| trace.replace(new)).unwrap_or(Trace::LOUD)
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

/// The payload of a panic is a user's value too, and its `Drop` may panic, with a payload of the same kind.
fn dispose(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
        && !second.is::<&str>()
        && !second.is::<String>()
    {
        std::mem::forget(second);
    }
}

fn chain_hook() {
    static ONCE: Once = Once::new();
    // While this thread panics the hook cannot be changed. That is code which a `Drop` calls; a later catch will do it.
    if !ONCE.is_completed() && std::thread::panicking() {
        return;
    }
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
