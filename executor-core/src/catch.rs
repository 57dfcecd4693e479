//! The one place where panics of user code are caught and made values.
//!
//! `catch_unwind` only yields the payload; the place and the backtrace are known to the panic hook alone. So the first
//! task of the program chains a hook that records both for a thread that panics inside a catch. Inside a task that hook
//! is silent, because the panic is delivered to whoever holds the future. Everywhere else it goes on to the hook that
//! was there before, so nothing is swallowed.
//!
//! When the hook runs, nothing tells whether the panic will reach the catch of the task. There are three other ends:
//!
//! - The task catches it itself. That is known when the task ends, or panics again. Then it goes to the hook.
//! - It meets a frame that cannot unwind, or a `Drop` panics on the way. Then the standard library raises a last panic
//!   that cannot unwind, and aborts. What was recorded before is printed ahead of it.
//! - The program is built with `panic = "abort"`. There the hook is never silent.
//!
//! Code that calls `abort` on the way of a panic, without a panic of its own, leaves no chance to print it.
//!
//! # When the hook is chained
//!
//! Changing the hook waits until every hook that runs has returned. A hook may wait for a task, so no worker may ever
//! wait for the hook. Therefore it is chained where a task is made, and never on a thread that others depend on.

use std::{
    any::{Any, TypeId},
    backtrace::{Backtrace, BacktraceStatus},
    cell::{Cell, RefCell},
    fmt,
    io::Write,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, panic_any},
    sync::Once,
};

use crate::{
    Error,
    error::Panic,
    running::current_name,
    worker::{is_worker, worker_name},
};

/// What becomes of the panics of a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// They are printed.
    Loud,
    /// They are going to be delivered as values.
    Silent,
    /// As `Silent`, and there was one at least: `RECORD` has it.
    Found,
}

/// What the hook knew of a panic.
struct Found {
    message: String,
    payload: TypeId,
    location: Option<String>,
    backtrace: Option<String>,
    /// Whether the hook of the program has seen it.
    reported: bool,
}

/// The panics since a catch began. Those between the first and the last have gone to the hook of the program.
struct Record {
    first: Found,
    last: Option<Found>,
}

// Several of them, because every task changes the first, and hardly any the others. The first has nothing to drop, so
// using it is a plain access to memory.
thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Loud) };
    /// The record of the innermost catch.
    static RECORD: RefCell<Option<Box<Record>>> = const { RefCell::new(None) };
    /// The records of catches around it, outermost first: a panic may be on its way through code that catches another.
    static OUTER: RefCell<Vec<Record>> = const { RefCell::new(Vec::new()) };
}

/// Runs a task's code. A panic is not printed: it becomes the task's error.
#[inline]
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Panic> {
    let outer = Outer::enter(Mode::Silent);
    let outcome = catch_unwind(AssertUnwindSafe(code));
    let record = if MODE.get() == Mode::Found { take_record() } else { None };
    outer.leave();
    match outcome {
        Ok(value) => {
            if let Some(record) = record {
                report(*record);
            }
            Ok(value)
        }
        Err(payload) => Err(describe(payload, record)),
    }
}

/// Runs user code as the current task. A panic is returned as the error of that task.
pub(crate) fn guarded<R>(code: impl FnOnce() -> R) -> Result<R, Error> {
    catch(code).map_err(|panic| Error::panicked(&current_name(), panic))
}

/// Runs user code on behalf of a task that is not the current one. A panic is returned as the error of that task.
pub(crate) fn guarded_for<R>(task: &str, code: impl FnOnce() -> R) -> Result<R, Error> {
    catch(code).map_err(|panic| Error::panicked(task, panic))
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
struct Outer(Mode);

impl Outer {
    #[inline]
    fn enter(mode: Mode) -> Outer {
        let before = MODE.replace(mode);
        if before == Mode::Found {
            put_record_aside();
        }
        Outer(before)
    }

    #[inline]
    fn leave(self) {
        let Outer(mode) = self;
        MODE.set(mode);
        if mode == Mode::Found {
            put_record_back();
        }
    }
}

#[cold]
fn put_record_aside() {
    if let Some(record) = take_record() {
        let _ = OUTER.try_with(|outer| outer.borrow_mut().push(*record));
    }
}

#[cold]
fn put_record_back() {
    let record = OUTER.try_with(|outer| outer.borrow_mut().pop()).ok().flatten().map(Box::new);
    let _ = RECORD.try_with(|slot| slot.replace(record));
}

#[cold]
fn take_record() -> Option<Box<Record>> {
    // A thread whose locals are gone already is ending; then a panic has no place.
    RECORD.try_with(RefCell::take).ok().flatten()
}

#[cold]
fn describe(payload: Box<dyn Any + Send>, record: Option<Box<Record>>) -> Panic {
    let message = text(&*payload).unwrap_or(NOT_TEXT).to_string();
    let is_this = |found: &Found| found.payload == (*payload).type_id() && found.message == message;
    let (delivered, rest) = match record.map(|record| *record) {
        None => (None, None),
        Some(Record { first, last: Some(last) }) if is_this(&last) => (Some(last), Some(first)),
        Some(Record { first, last }) if is_this(&first) => (Some(first), last),
        // It has not passed the hook: somebody called `resume_unwind`.
        Some(record) => {
            report(record);
            (None, None)
        }
    };
    if let Some(found) = rest {
        report_one(found);
    }
    contain(|| dispose(payload));
    let (location, backtrace) = delivered.map_or((None, None), |found| (found.location, found.backtrace));
    Panic::new(message, location, backtrace, worker_name().to_string())
}

/// What [`Panic::message`] says of a payload without a text.
const NOT_TEXT: &str = "a payload that is not text";

fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Brings panics that were not delivered to the hook of the program.
#[cold]
fn report(record: Record) {
    let Record { first, last } = record;
    report_one(first);
    last.into_iter().for_each(report_one);
}

fn report_one(found: Found) {
    if found.reported {
        return;
    }
    // What the hook was given at that time is gone, so it is given a panic of our own that quotes it.
    contain(|| panic_any(format!("a panic that a task has caught itself: {found}")));
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

/// Chains the hook, unless it was before. To be called where a task is made.
#[inline]
pub(crate) fn chain_hook() {
    if !HOOK.is_completed() {
        chain_hook_first();
    }
}

#[cold]
fn chain_hook_first() {
    // While this thread panics the hook cannot be changed. And a worker does not wait for a hook that may wait for it.
    // In either case a later task makes up for it; until then panics of tasks are printed and have no place.
    if std::thread::panicking() || is_worker() {
        return;
    }
    chain_hook_here();
}

/// As [`chain_hook`], for the worker of another process, on which no hook waits.
#[inline]
pub(crate) fn chain_hook_here() {
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| hear(info, &*previous)));
    });
}

/// The hook.
fn hear(info: &PanicHookInfo<'_>, previous: &dyn Fn(&PanicHookInfo<'_>)) {
    if MODE.get() == Mode::Loud || cfg!(panic = "abort") {
        return previous(info);
    }
    if !can_unwind(info) {
        print_unreported();
        return previous(info);
    }
    let is_first = MODE.replace(Mode::Found) == Mode::Silent;
    let found = Found::of(info, !is_first);
    let _ = RECORD.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        match &mut *slot {
            Some(record) => record.last = Some(found),
            None => *slot = Some(Box::new(Record { first: found, last: None })),
        }
    });
    if !is_first {
        // The task catches its panics itself, or this one comes from a `Drop` on the way of the first. One that is
        // delivered in the end is then printed as well.
        previous(info);
    }
}

/// False: the standard library aborts the program when the hook has returned.
///
/// It does not offer the question, but its `Debug` has the answer.
fn can_unwind(info: &PanicHookInfo<'_>) -> bool {
    !format!("{info:?}").contains("can_unwind: false")
}

/// The program is about to end. What it would have been told later is told now.
fn print_unreported() {
    fn print(record: &mut Record) {
        for found in std::iter::once(&mut record.first).chain(&mut record.last) {
            if !std::mem::replace(&mut found.reported, true) {
                // There is nobody to tell that this failed.
                let _ = writeln!(std::io::stderr(), "task `{}` panicked before: {found}", current_name());
            }
        }
    }
    let _ = OUTER.try_with(|outer| outer.borrow_mut().iter_mut().for_each(print));
    let _ = RECORD.try_with(|slot| slot.borrow_mut().iter_mut().for_each(|record| print(record)));
}

impl Found {
    fn of(info: &PanicHookInfo<'_>, reported: bool) -> Found {
        let backtrace = Backtrace::capture();
        Found {
            message: info.payload_as_str().unwrap_or(NOT_TEXT).to_string(),
            payload: info.payload().type_id(),
            location: info.location().map(ToString::to_string),
            backtrace: (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string()),
            reported,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(location) = &self.location {
            write!(f, " (at {location})")?;
        }
        if let Some(backtrace) = &self.backtrace {
            write!(f, "\nstack backtrace:\n{backtrace}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_its_place() {
        chain_hook();
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
