//! The generic code that fills the function table: one [`Entry`] for each function that is submitted.
#![allow(unsafe_code)]

use std::{any::TypeId, ptr::NonNull};

use super::{
    Entry,
    batch::{self, NumberRecord, Records},
    entry::Argument,
    outcome,
};
use crate::{
    Error, Function, Payload,
    catch::{self, guarded},
    codec,
    payload::assert_captures_nothing,
};

/// The type for which the compiler emits the entry of a function.
struct Table<F, A, R>(F, A, R);

impl<F: Function<A, R>, A: Payload, R: Payload> Table<F, A, R> {
    /// The compiler promotes a reference to a constant without interior mutability and `Drop`, so the entry is in the
    /// program's read-only data.
    const ENTRY: &'static Entry = &Entry::new(
        TypeId::of::<fn(F, A) -> R>,
        std::any::type_name::<F>,
        codec::word_size::<A>,
        call::<F, A, R>,
        call_each::<F, A, R>,
    );
}

impl Entry {
    /// Returns the entry of a function.
    pub(crate) fn of<F: Function<A, R>, A: Payload, R: Payload>() -> &'static Entry {
        Table::<F, A, R>::ENTRY
    }
}

/// Reads the argument, calls the function and writes the outcome. A panic in any of these is the outcome.
fn call<F: Function<A, R>, A: Payload, R: Payload>(argument: Argument<'_>, reply: &mut Vec<u8>) {
    // The check is here because submitting a function makes its entry, and so compiles this call.
    const { assert_captures_nothing::<F>() };
    let start = reply.len();
    if let Err(error) = guarded(|| try_call::<F, A, R>(argument, reply)).unwrap_or_else(Err) {
        reply.truncate(start);
        outcome::write_error(&error, reply);
    }
}

/// Does what [`call`] does, and lets panics unwind.
#[inline]
fn try_call<F: Function<A, R>, A: Payload, R: Payload>(
    argument: Argument<'_>,
    reply: &mut Vec<u8>,
) -> Result<(), Error> {
    // SAFETY: `call` has checked that `F` has no size.
    let mut value = unsafe { read_and_call::<F, A, R>(argument) }?;
    outcome::write_value(&mut value, reply)?;
    // A panic of its `Drop` is reported, and does not change the outcome.
    catch::drop_contained(value);
    Ok(())
}

/// Reads the argument and calls the function. Lets panics unwind.
///
/// # Safety
///
/// - The caller has checked that `F` has no size.
#[inline]
pub(super) unsafe fn read_and_call<F: Function<A, R>, A: Payload, R>(argument: Argument<'_>) -> Result<R, Error> {
    let args = match argument {
        Argument::Borrowed(bytes) => codec::decode::<A>(bytes),
        Argument::Movable(bytes) => codec::decode_taking::<A>(bytes),
        Argument::Words(words) => codec::decode_words::<A>(words.take()),
    }?;
    // SAFETY: the caller has checked that `F` has no size, so nothing is read and a dangling pointer is valid. `F` has
    // values, because an entry is only made for a function that was passed by value. It is `Copy`, so another value may
    // exist in that process. In another process the contract of `Address::resolve` allows one. A captured value of no
    // size, which the compiler cannot distinguish from none, is made from nothing there; `Function` documents what the
    // user must avoid.
    let function = unsafe { NonNull::<F>::dangling().read() };
    Ok(function(args))
}

/// Calls the function on an argument of a batch. Lets panics unwind.
///
/// # Safety
///
/// - As for [`read_and_call`].
#[inline]
unsafe fn call_on_record<F: Function<A, R>, A: Payload, R>(argument: &[u8]) -> Result<R, Error> {
    match batch::read_argument(argument) {
        // SAFETY: the contract is the same.
        batch::Argument::Call(argument) => unsafe { read_and_call::<F, A, R>(Argument::Borrowed(argument)) },
        batch::Argument::Refused(error) => Err(error),
    }
}

/// Appends the outcome of a call. Lets panics unwind.
fn write_outcome<R: Payload>(called: Result<R, Error>, reply: &mut Vec<u8>) {
    let start = reply.len();
    let written = called.and_then(|mut value| {
        outcome::write_value(&mut value, reply)?;
        catch::drop_contained(value);
        Ok(())
    });
    if let Err(error) = written {
        reply.truncate(start);
        outcome::write_error(&error, reply);
    }
}

/// Calls the function on each argument of a batch. One catch covers all of them up to one that panics.
fn call_each<F: Function<A, R>, A: Payload, R: Payload>(
    arguments: &mut Records<'_>,
    on_outcome: &mut dyn FnMut(&[u8]) -> bool,
) {
    let mut record = Vec::new();
    let mut goes_on = true;
    while goes_on {
        let called = guarded(|| {
            for argument in arguments.by_ref() {
                // SAFETY: `call`, which is in the same entry, has checked that `F` has no size.
                let called = unsafe { call_on_record::<F, A, R>(argument) };
                if let Some(number) = called.as_ref().ok().and_then(NumberRecord::of) {
                    if !on_outcome(&number) {
                        return;
                    }
                    continue;
                }
                record.clear();
                batch::write_record(&mut record, |outcome| write_outcome(called, outcome));
                if !on_outcome(&record) {
                    return;
                }
            }
        });
        let Err(panicked) = called else { return };
        record.clear();
        batch::write_record(&mut record, |outcome| outcome::write_error(&panicked, outcome));
        goes_on = on_outcome(&record);
    }
}
