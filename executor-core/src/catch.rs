//! The one place where panics of user code are caught and made values.
//!
//! `catch_unwind` only yields the payload; the place and the backtrace are known to the panic hook alone. So the first
//! catch of the program chains a hook that notes both down for the thread that panics inside a catch. Inside a task that
//! hook is silent, because the panic is delivered to whoever holds the future. Everywhere else it goes on to the hook
//! that was there before, so nothing is swallowed.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use crate::{error::Panic, task};

/// What becomes of the panics of a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// They are printed.
    Loud,
    /// They are going to be delivered as values.
    Silent,
    /// As `Silent`, and there was one: what is known of it waits in `FOUND`.
    Found,
}

/// The place and the backtrace of a panic.
#[derive(Default)]
struct Found {
    location: Option<String>,
    backtrace: Option<String>,
}

// Two of them, because every task changes the first, and hardly any the second. The first has nothing to drop, so using it
// is a plain access to memory.
thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Loud) };
    static FOUND: Cell<Option<Box<Found>>> = const { Cell::new(None) };
}

/// Runs a task's code. A panic is not printed: it becomes the task's error.
#[inline]
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Panic> {
    chain_hook();
    let outer = Outer::enter(Mode::Silent);
    let outcome = catch_unwind(AssertUnwindSafe(code)).map_err(describe);
    outer.leave();
    outcome
}

/// Runs user code that nobody waits for: a callback, a waker, the `Drop` of a value. A panic is printed and ends here.
#[inline]
pub(crate) fn contain(code: impl FnOnce()) {
    let outer = Outer::enter(Mode::Loud);
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        dispose(payload);
    }
    outer.leave();
}

/// Drops a value of the user's, as [`contain`] does. It costs nothing where there is nothing to drop.
#[inline]
pub(crate) fn drop_contained<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        contain(|| drop(value));
    }
}

/// What held for panics of this thread before, to be put back.
///
/// What was found is part of that: a panic may be on its way through code whose `Drop` catches another.
struct Outer(Mode, Option<Box<Found>>);

impl Outer {
    #[inline]
    fn enter(mode: Mode) -> Outer {
        let before = MODE.replace(mode);
        Outer(before, if before == Mode::Found { take_found() } else { None })
    }

    #[inline]
    fn leave(self) {
        let Outer(mode, found) = self;
        MODE.set(mode);
        if found.is_some() {
            put_found(found);
        }
    }
}

#[cold]
fn take_found() -> Option<Box<Found>> {
    // A thread whose locals are gone already is ending; then a panic has no place.
    FOUND.try_with(Cell::take).ok().flatten()
}

#[cold]
fn put_found(found: Option<Box<Found>>) {
    let _ = FOUND.try_with(|slot| slot.set(found));
}

#[cold]
fn describe(payload: Box<dyn Any + Send>) -> Panic {
    let message = match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_string(),
        None => match payload.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => "a payload that is not text".to_string(),
        },
    };
    dispose(payload);
    let Found { location, backtrace } = take_found().map_or_else(Found::default, |found| *found);
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

static HOOK: Once = Once::new();

#[inline]
fn chain_hook() {
    if !HOOK.is_completed() {
        chain_hook_first();
    }
}

#[cold]
fn chain_hook_first() {
    // While this thread panics the hook cannot be changed. That is code which a `Drop` calls; a later catch will do it.
    if std::thread::panicking() {
        return;
    }
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if MODE.get() == Mode::Loud {
                return previous(info);
            }
            let backtrace = Backtrace::capture();
            let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
            let location = info.location().map(ToString::to_string);
            put_found(Some(Box::new(Found { location, backtrace })));
            MODE.set(Mode::Found);
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
