//! The only place where panics of user code are caught and become values.
//!
//! `catch_unwind` returns only the payload; only the panic hook receives the location and the backtrace. So the first
//! task of the program chains a hook that records both if the thread is inside a catch. Inside a task that hook is
//! silent, because the future delivers the panic, or prints it if it is dropped unread (`unread.rs`). Everywhere else
//! the hook calls the previous one, so no panic is lost.
//!
//! When the hook runs, it is not known whether the panic will reach the catch of the task. Three other things may
//! happen:
//!
//! - The task catches the panic itself. That is known when the task ends or panics again, and the panic is reported
//!   then.
//! - The panic reaches a frame that cannot unwind, or a `Drop` panics during the unwinding. Then the standard library
//!   raises a last panic that cannot unwind, and aborts. The hook prints the recorded panics before that.
//! - The program is built with `panic = "abort"`. There the hook is never silent.
//!
//! If code calls `abort` during the unwinding, without a panic of its own, the panic is never printed.
//!
//! # When the hook is chained
//!
//! Changing the hook waits until every running hook has returned. A hook may wait for a task, so a worker must never
//! wait for a hook. Therefore the hook is chained where a task is made, and never on a worker.

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

/// What happens to the panics of a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The panics are printed.
    Loud,
    /// The panics are recorded, to be delivered as values.
    Silent,
    /// The panics are recorded, and there was at least one: `RECORD` has it.
    Found,
}

/// What the hook records of a panic.
struct Found {
    message: String,
    payload: TypeId,
    location: Option<String>,
    backtrace: Option<String>,
    /// Whether the hook of the program has reported it.
    reported: bool,
}

/// The panics since a catch began. The hook of the program has reported those between the first and the last.
struct Record {
    first: Found,
    last: Option<Found>,
}

// Three variables, because every task changes the first, and few change the others. The first needs no drop, so using
// it is a plain memory access.
thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Loud) };
    /// The record of the innermost catch.
    static RECORD: RefCell<Option<Box<Record>>> = const { RefCell::new(None) };
    /// The records of the outer catches, outermost first. A `Drop` that runs while a panic unwinds may catch another
    /// one.
    static OUTER: RefCell<Vec<Record>> = const { RefCell::new(Vec::new()) };
}

/// Runs a task's code. A panic is not printed, but returned.
#[inline]
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Panic> {
    run(code).map_err(describe)
}

/// Runs user code as the current task. A panic is returned as the error of that task.
#[inline]
pub(crate) fn guarded<R>(code: impl FnOnce() -> R) -> Result<R, Error> {
    run(code).map_err(panicked)
}

/// The payload of a panic, and what the hook has recorded of it.
type Caught = (Box<dyn Any + Send>, Option<Box<Record>>);

/// Runs a task's code. A panic is not printed, but returned.
#[inline]
fn run<R>(code: impl FnOnce() -> R) -> Result<R, Caught> {
    let outer = Outer::enter(Mode::Silent);
    let outcome = catch_unwind(AssertUnwindSafe(code));
    let record = if MODE.get() == Mode::Found { take_record() } else { None };
    outer.leave();
    match outcome {
        Ok(value) => {
            if record.is_some() {
                report(record);
            }
            Ok(value)
        }
        Err(payload) => Err((payload, record)),
    }
}

/// Returns the error of the current task, which has panicked. It is not part of its callers, whose frames it would make
/// large.
#[cold]
fn panicked(caught: Caught) -> Error {
    Error::panicked(&current_name(), describe(caught))
}

/// Runs user code on behalf of a task that is not the current one. A panic is returned as the error of that task.
pub(crate) fn guarded_for<R>(task: &str, code: impl FnOnce() -> R) -> Result<R, Error> {
    catch(code).map_err(|panic| Error::panicked(task, panic))
}

/// Runs user code that no thread waits for: a callback, a waker, the `Drop` of a value. A panic is printed and ends
/// here.
#[inline]
pub(crate) fn contain(code: impl FnOnce()) {
    let outer = Outer::enter(Mode::Loud);
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        dispose(payload);
    }
    outer.leave();
}

/// Drops a user's value inside [`contain`]. This costs nothing if the type needs no drop.
#[inline]
pub(crate) fn drop_contained<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        contain(|| drop(value));
    }
}

/// The mode of this thread before a catch, to be restored.
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
    // A thread whose thread-locals are gone is ending. The location of the panic is lost then.
    RECORD.try_with(RefCell::take).ok().flatten()
}

#[cold]
fn describe((payload, record): Caught) -> Panic {
    let message = text(&*payload).unwrap_or(NOT_TEXT).to_string();
    let is_this = |found: &Found| found.payload == (*payload).type_id() && found.message == message;
    let (delivered, rest) = match record.map(|record| *record) {
        None => (None, None),
        Some(Record { first, last: Some(last) }) if is_this(&last) => (Some(last), Some(first)),
        Some(Record { first, last }) if is_this(&first) => (Some(first), last),
        // The panic did not run the hook, because it was raised by `resume_unwind`.
        Some(record) => {
            report(Some(Box::new(record)));
            (None, None)
        }
    };
    if let Some(found) = rest {
        report_one(found);
    }
    contain(|| dispose(payload));
    let printed = delivered.as_ref().is_some_and(|found| found.reported);
    let (location, backtrace) = delivered.map_or((None, None), |found| (found.location, found.backtrace));
    Panic::new(message, location, backtrace, worker_name().to_string()).silent(printed)
}

/// The message of a payload that is not text.
const NOT_TEXT: &str = "a payload that is not text";

fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Reports panics that were not delivered, through the hook of the program.
#[cold]
fn report(record: Option<Box<Record>>) {
    let Some(record) = record else { return };
    let Record { first, last } = *record;
    report_one(first);
    last.into_iter().for_each(report_one);
}

fn report_one(found: Found) {
    if found.reported {
        return;
    }
    // The original hook info is gone, so the hook receives a new panic that quotes the old one.
    contain(|| panic_any(format!("a panic that a task has caught itself: {found}")));
}

/// Drops the payload of a panic. It is a user's value, whose `Drop` may panic with a payload of the same kind.
fn dispose(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        if !second.is::<&str>() && !second.is::<String>() {
            std::mem::forget(second);
        }
    }
}

static HOOK: Once = Once::new();

/// Chains the hook, unless it is chained already. Call this where a task is made. Returns whether it is chained.
pub(crate) fn chain_hook() -> bool {
    if !HOOK.is_completed() {
        chain_hook_first();
    }
    HOOK.is_completed()
}

#[cold]
fn chain_hook_first() {
    // A panicking thread cannot change the hook, and a worker must not wait for a hook that may wait for the worker. In
    // both cases a later task chains the hook. Until then panics of tasks are printed, and their location is not known.
    if std::thread::panicking() || is_worker() {
        return;
    }
    chain_hook_even_on_worker();
}

/// Chains the hook as [`chain_hook`] does, even on a worker. This is for worker processes, where no hook waits for a
/// worker.
#[inline]
pub(crate) fn chain_hook_even_on_worker() {
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| on_panic(info, &*previous)));
    });
}

fn on_panic(info: &PanicHookInfo<'_>, previous: &dyn Fn(&PanicHookInfo<'_>)) {
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
        // The task catches its panics itself, or this one comes from a `Drop` during the unwinding. If it is delivered
        // in the end, it is printed as well.
        previous(info);
    }
}

/// Returns whether the panic can unwind. If not, the standard library aborts the program when the hook has returned.
///
/// There is no stable method for this, but the `Debug` output contains it.
fn can_unwind(info: &PanicHookInfo<'_>) -> bool {
    !format!("{info:?}").contains("can_unwind: false")
}

/// Prints the panics that would have been reported later, because the program is about to abort.
fn print_unreported() {
    fn print(record: &mut Record) {
        for found in std::iter::once(&mut record.first).chain(&mut record.last) {
            if !std::mem::replace(&mut found.reported, true) {
                // A failure cannot be reported.
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
            message: text(info.payload()).unwrap_or(NOT_TEXT).to_string(),
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
    fn a_panic_becomes_a_message_and_a_location() {
        chain_hook();
        let panic = catch(|| panic!("number {}", 7)).expect_err("it panicked");
        assert_eq!(panic.message(), "number 7");
        assert!(panic.location().expect("the hook recorded the location").contains("catch.rs:"));
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
