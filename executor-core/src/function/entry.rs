//! One entry of the function table.
#![allow(unsafe_code)]

use std::{
    any::TypeId,
    fmt,
    hash::{Hash, Hasher},
    ptr::NonNull,
};

use super::{
    batch::{self, Records},
    outcome,
};
use crate::{Error, Function, Payload, catch, catch::guarded, codec, payload::assert_captures_nothing};

/// A function of the program, by its type. See the [module](super).
#[repr(C)]
pub struct Entry {
    /// First, so that a wrong address is noticed before anything else of it is looked at.
    magic: [u64; 2],
    identity: TypeId,
    name: fn() -> &'static str,
    call: fn(Argument<'_>, &mut Vec<u8>),
    call_each: CallEach,
}

type CallEach = fn(&mut Records<'_>, &mut dyn FnMut(&[u8]) -> bool);

/// Two numbers that no other data of a program has by chance.
const MAGIC: [u64; 2] = [0x6375_7272_5f66_6e21, 0x9e3c_41d7_5a0b_f286];

/// The place where the compiler puts the entry of a function.
struct Table<F, A, R>(F, A, R);

impl<F: Function<A, R>, A: Payload, R: Payload> Table<F, A, R> {
    /// A reference to a constant without interior mutability and `Drop` is promoted: the entry is in the program's
    /// read-only data.
    const ENTRY: &'static Entry = &Entry {
        magic: MAGIC,
        identity: TypeId::of::<fn(F, A) -> R>(),
        name: std::any::type_name::<F>,
        call: call::<F, A, R>,
        call_each: call_each::<F, A, R>,
    };
}

/// The bytes of an argument.
enum Argument<'a> {
    /// To be looked at.
    Lent(&'a [u8]),
    /// The whole of a vector, which may become the argument itself.
    Given(&'a mut Vec<u8>),
}

/// Reads the argument, calls the function, writes the outcome. Whatever of that panics is in the outcome.
fn call<F: Function<A, R>, A: Payload, R: Payload>(argument: Argument<'_>, reply: &mut Vec<u8>) {
    // Here, because whoever submits a function makes its entry, and so this call of it.
    const { assert_captures_nothing::<F>() };
    let start = reply.len();
    if let Err(error) = guarded(|| try_call::<F, A, R>(argument, reply)).flatten() {
        reply.truncate(start);
        outcome::write_error(&error, reply);
    }
}

/// As [`call`], and what panics unwinds.
#[inline]
fn try_call<F: Function<A, R>, A: Payload, R: Payload>(
    argument: Argument<'_>,
    reply: &mut Vec<u8>,
) -> Result<(), Error> {
    let args = match argument {
        Argument::Lent(bytes) => codec::decode::<A>(bytes),
        Argument::Given(bytes) => codec::decode_taking::<A>(bytes),
    }?;
    // SAFETY: `F` has no size, which `call` has made sure of, so nothing is read, and a dangling pointer will do. `F`
    // has values: an entry is only made for a function that was passed by value, and it is `Copy`, so in that process
    // there may be another one. In another process there may be one by the contract of `Address::resolve`: a capture of
    // no size, which cannot be told from none, would be made from nothing there. `Function` says what that asks of who
    // submits it.
    let function = unsafe { NonNull::<F>::dangling().read() };
    let mut value = function(args);
    outcome::write_value(&mut value, reply)?;
    // If its `Drop` panics that is reported, and the value still counts.
    catch::drop_contained(value);
    Ok(())
}

/// As [`call`] for one argument of a batch after the other, with one catch for all of them up to one that panics.
fn call_each<F: Function<A, R>, A: Payload, R: Payload>(
    arguments: &mut Records<'_>,
    answer: &mut dyn FnMut(&[u8]) -> bool,
) {
    let mut record = Vec::new();
    let mut goes_on = true;
    while goes_on {
        let called = guarded(|| {
            for argument in arguments.by_ref() {
                record.clear();
                batch::write_record(&mut record, |outcome| {
                    let start = outcome.len();
                    let called = match batch::read_argument(argument) {
                        batch::Argument::Call(argument) => try_call::<F, A, R>(Argument::Lent(argument), outcome),
                        batch::Argument::Refused(error) => Err(error),
                    };
                    if let Err(error) = called {
                        outcome.truncate(start);
                        outcome::write_error(&error, outcome);
                    }
                });
                if !answer(&record) {
                    return;
                }
            }
        });
        let Err(panicked) = called else { return };
        record.clear();
        batch::write_record(&mut record, |outcome| outcome::write_error(&panicked, outcome));
        goes_on = answer(&record);
    }
}

impl Entry {
    /// The entry of a function.
    pub(crate) fn of<F: Function<A, R>, A: Payload, R: Payload>() -> &'static Entry {
        Table::<F, A, R>::ENTRY
    }

    /// The function's path.
    pub fn name(&self) -> &'static str {
        (self.name)()
    }

    /// A number made of the types of the function, its argument and its result.
    pub fn fingerprint(&self) -> u64 {
        /// `TypeId` hashes to the first word of itself; nothing more is needed, for it is a hash already.
        #[derive(Default)]
        struct Word(u64);
        impl Hasher for Word {
            fn finish(&self) -> u64 {
                self.0
            }
            fn write(&mut self, bytes: &[u8]) {
                for byte in bytes {
                    self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
                }
            }
            fn write_u64(&mut self, word: u64) {
                self.0 = self.0.rotate_left(1) ^ word;
            }
        }
        let mut word = Word::default();
        self.identity.hash(&mut word);
        word.finish()
    }

    /// Calls the function on one argument that was written by [`codec::encode`], and writes the
    /// [outcome](super::outcome) behind what `reply` holds. Panics of the user's code are in the outcome.
    pub fn call(&self, argument: &[u8], reply: &mut Vec<u8>) {
        (self.call)(Argument::Lent(argument), reply);
    }

    /// As [`call`](Entry::call), and may take the vector: bytes and text are read by making it their own.
    pub fn call_taking(&self, argument: &mut Vec<u8>, reply: &mut Vec<u8>) {
        (self.call)(Argument::Given(argument), reply);
    }

    /// Calls the function on each argument of a [batch], and hands the record of each outcome to `answer` before the
    /// next call. It ends when `answer` says so by false; the arguments that are left then were not touched.
    pub fn call_each(&self, arguments: &mut Records<'_>, answer: &mut dyn FnMut(&[u8]) -> bool) {
        (self.call_each)(arguments, answer);
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.name())
    }
}

/// The magic number where an address is looked at that may not be an entry.
///
/// # Safety
///
/// - `at` is aligned for an [`Entry`], and its bytes are mapped, readable and initialised.
pub(super) unsafe fn has_magic(at: *const Entry) -> bool {
    // SAFETY: by the contract; the magic number is plain data, of which any bytes are a value.
    unsafe { std::ptr::addr_of!((*at).magic).read() == MAGIC }
}
