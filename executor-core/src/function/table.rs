//! The generic code that fills the function table: one [`Entry`] for each function that is submitted.
#![allow(unsafe_code)]

use std::{any::TypeId, ptr::NonNull};

use super::{
    Entry,
    batch::{self, NumberRecord, Records},
    entry::{Argument, CallEach},
    outcome,
};
use crate::{
    Error, Function, Payload,
    catch::{self, guarded},
    codec,
    payload::assert_captures_nothing,
};

/// The type for which the compiler emits the entries of a function.
struct Table<F, A, R>(F, A, R);

impl<F: Function<A, R>, A: Payload, R: Payload> Table<F, A, R> {
    /// The entry of a function that is called once for a task. Almost all of its code is shared by the functions with
    /// these types, because a program has it for each function that it submits, even to threads alone.
    ///
    /// The compiler promotes a reference to a constant without interior mutability and `Drop`, so the entry is in the
    /// program's read-only data.
    const ENTRY: &'static Entry = &Table::<F, A, R>::entry(Entry::call_one_by_one);

    /// The entry of a function that is called on batches. It has the loop over a batch, into which the function is
    /// compiled, because short functions take less time than to be called through a pointer.
    const BATCH_ENTRY: &'static Entry = &Table::<F, A, R>::entry(call_each::<F, A, R>);

    const fn entry(call_each: CallEach) -> Entry {
        Entry::new(
            TypeId::of::<fn(F, A) -> R>,
            std::any::type_name::<F>,
            codec::word_size::<A>,
            call::<F, A, R>,
            call_each,
        )
    }
}

impl Entry {
    /// Returns the entry of a function. Batches are called through it too, but slower than through that of
    /// [`of_batch`](Entry::of_batch).
    pub(crate) fn of<F: Function<A, R>, A: Payload, R: Payload>() -> &'static Entry {
        Table::<F, A, R>::ENTRY
    }

    /// Returns the entry of a function that is called on batches. It has the fingerprint of the other one, because it
    /// is the same function.
    pub(crate) fn of_batch<F: Function<A, R>, A: Payload, R: Payload>() -> &'static Entry {
        Table::<F, A, R>::BATCH_ENTRY
    }
}

/// Reads the argument, calls the function and writes the outcome. A panic in any of these is the outcome.
fn call<F: Function<A, R>, A: Payload, R: Payload>(argument: Argument<'_>, reply: &mut Vec<u8>) {
    // The check is here because submitting a function makes its entry, and so compiles this call.
    const { assert_captures_nothing::<F>() };
    // SAFETY: the line above has checked that `F` has no size.
    unsafe { call_by_pointer(invoke::<F, A, R>, argument, reply) }
}

/// Does the work of [`call`] for all functions with these types.
///
/// # Safety
///
/// - The function may be called here.
#[inline(never)]
unsafe fn call_by_pointer<A: Payload, R: Payload>(
    function: unsafe fn(A) -> R,
    argument: Argument<'_>,
    reply: &mut Vec<u8>,
) {
    let start = reply.len();
    let called = guarded(|| {
        let args = read(argument)?;
        // SAFETY: by the contract.
        let mut value = unsafe { function(args) };
        outcome::write_value(&mut value, reply)?;
        // A panic of its `Drop` is reported, and does not change the outcome.
        catch::drop_contained(value);
        Ok(())
    });
    if let Err(error) = called.unwrap_or_else(Err) {
        reply.truncate(start);
        outcome::write_error(&error, reply);
    }
}

/// Reads the argument of a call. Lets panics unwind.
#[inline]
pub(super) fn read<A: Payload>(argument: Argument<'_>) -> Result<A, Error> {
    match argument {
        Argument::Borrowed(bytes) => codec::decode::<A>(bytes),
        Argument::Movable(bytes) => codec::decode_taking::<A>(bytes),
        Argument::Words(words) => codec::decode_words::<A>(words.take()),
    }
}

/// Calls the function. Lets panics unwind.
///
/// # Safety
///
/// - The caller has checked that `F` has no size, and was compiled for an entry of it.
#[inline]
pub(super) unsafe fn invoke<F: Function<A, R>, A, R>(args: A) -> R {
    // SAFETY: the caller has checked that `F` has no size, so nothing is read and a dangling pointer is valid. `F` has
    // values, because an entry is only made for a function that was passed by value. It is `Copy`, so another value may
    // exist in that process. In another process the contract of `Address::resolve` allows one. A captured value of no
    // size, which the compiler cannot distinguish from none, is made from nothing there; `Function` documents what the
    // user must avoid.
    let function = unsafe { NonNull::<F>::dangling().read() };
    function(args)
}

/// Calls the function on an argument of a batch. Lets panics unwind.
///
/// # Safety
///
/// - As for [`invoke`].
#[inline]
unsafe fn call_on_record<F: Function<A, R>, A: Payload, R>(argument: &[u8]) -> Result<R, Error> {
    match batch::read_argument(argument) {
        batch::Argument::Call(argument) => {
            let args = read(Argument::Borrowed(argument))?;
            // SAFETY: the contract is the same.
            Ok(unsafe { invoke::<F, A, R>(args) })
        }
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
    _: &Entry,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of<F: Function<A, R>, A: Payload, R: Payload>(_: F) -> [&'static Entry; 2] {
        [Entry::of::<F, A, R>(), Entry::of_batch::<F, A, R>()]
    }

    /// Returns the records of the outcomes, up to this many.
    fn call_each<A: Payload>(entry: &Entry, arguments: &[Result<A, Error>], most: usize) -> Vec<Vec<u8>> {
        let mut bytes = Vec::new();
        for argument in arguments {
            batch::write_argument(&mut bytes, |into| match argument {
                Ok(argument) => codec::encode(argument, into),
                Err(refused) => Err(refused.clone()),
            });
        }
        let (mut records, mut outcomes) = (batch::records(&bytes), Vec::new());
        entry.call_each(&mut records, &mut |record| {
            outcomes.push(record.to_vec());
            outcomes.len() < most
        });
        assert_eq!(records.count(), arguments.len() - outcomes.len(), "what is not called is left unread");
        outcomes
    }

    /// Returns the outcomes as text, because two panics differ in their backtraces.
    fn read<R: Payload + std::fmt::Debug>(records: &[Vec<u8>]) -> Vec<Result<R, String>> {
        let outcomes = records.iter().map(|record| batch::records(record).next().expect("a whole record"));
        outcomes.map(|outcome| outcome::read(outcome).map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn a_batch_has_the_same_outcomes_through_both_entries_of_its_function() {
        let refused = || Error::new(crate::ErrorKind::Encode, "this argument could not be encoded");
        let halves = of(|n: u64| if n % 2 == 0 { n / 2 } else { panic!("{n} is odd") });
        let numbers = [Ok(2u64), Ok(3), Err(refused()), Ok(4), Ok(5)];
        let words = of(|word: String| if word.is_empty() { Err("empty".to_string()) } else { Ok(word.len()) });
        let texts = ["one", "", "three"].map(|text| Ok(text.to_string()));
        for most in 1..=5 {
            let [one, batch] = halves.map(|entry| read::<u64>(&call_each(entry, &numbers, most)));
            assert_eq!(one, batch);
            assert_eq!(one.len(), most);
            let [one, batch] = words.map(|entry| call_each(entry, &texts, most));
            assert_eq!(one, batch);
            assert_eq!(read::<Result<usize, String>>(&one)[0], Ok(Ok(3)));
        }
        let all = read::<u64>(&call_each(halves[0], &numbers, 5));
        assert_eq!((&all[0], &all[3]), (&Ok(1), &Ok(2)));
        assert!(all[1].as_ref().is_err_and(|error| error.contains("3 is odd")), "{all:?}");
        assert!(all[2].as_ref().is_err_and(|error| error.contains("could not be encoded")), "{all:?}");
    }

    #[test]
    fn both_entries_of_a_function_have_the_same_fingerprint_and_are_found_at_their_addresses() {
        let entries = of(|n: u64| n + 1);
        assert_eq!(entries[0].fingerprint(), entries[1].fingerprint());
        for entry in entries {
            let address = super::super::Address::of(entry).expect("in this program");
            // SAFETY: this process made it.
            let found = unsafe { address.resolve() }.expect("resolves");
            assert!(std::ptr::eq(found, entry));
        }
    }
}
