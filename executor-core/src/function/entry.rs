//! One row of the function table, and the call of its function.
#![allow(unsafe_code)]

use std::{
    any::TypeId,
    fmt,
    hash::{Hash, Hasher},
};

use super::{
    batch::{self, Records},
    outcome,
};
use crate::codec::Words;

/// A function of the program, by its type. See the [module](super).
#[repr(C)]
pub struct Entry {
    /// The first field, so that a wrong address is noticed before any other field is read.
    magic: [u64; 2],
    /// A function, because a constant cannot contain a `TypeId` before Rust 1.91.
    identity: fn() -> TypeId,
    name: fn() -> &'static str,
    /// A function for the same reason.
    word_size: fn() -> Option<usize>,
    call: Call,
    call_each: CallEach,
}

pub(super) type Call = fn(Argument<'_>, &mut Vec<u8>);
pub(super) type CallEach = fn(&Entry, &mut Records<'_>, &mut dyn FnMut(&[u8]) -> bool);

/// The bytes of an argument.
pub(super) enum Argument<'a> {
    /// Bytes to read from.
    Borrowed(&'a [u8]),
    /// A vector that holds only the argument, and may become the argument.
    Movable(&'a mut Vec<u8>),
    /// Numbers, whose memory may become the argument. Borrowed, so that nothing has to be dropped for other arguments.
    Words(&'a mut Option<Words>),
}

/// Two numbers that no other data of a program contains by chance.
const MAGIC: [u64; 2] = [0x6375_7272_5f66_6e21, 0x9e3c_41d7_5a0b_f286];

impl Entry {
    pub(super) const fn new(
        identity: fn() -> TypeId,
        name: fn() -> &'static str,
        word_size: fn() -> Option<usize>,
        call: Call,
        call_each: CallEach,
    ) -> Entry {
        Entry { magic: MAGIC, identity, name, word_size, call, call_each }
    }

    /// Returns the function's path.
    pub fn name(&self) -> &'static str {
        (self.name)()
    }

    /// Returns a number derived from the types of the function, its argument and its result.
    pub fn fingerprint(&self) -> u64 {
        /// Returns the first word of a `TypeId`. That is enough, because a `TypeId` is a hash already.
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
        (self.identity)().hash(&mut word);
        word.finish()
    }

    /// Calls the function on one argument that [`codec::encode`](crate::codec::encode) wrote, and appends the
    /// [outcome](super::outcome) to `reply`. A panic of the user's code is an outcome.
    pub fn call(&self, argument: &[u8], reply: &mut Vec<u8>) {
        (self.call)(Argument::Borrowed(argument), reply);
    }

    /// Calls the function as [`call`](Entry::call) does. If the argument is bytes or text, it becomes the owner of the
    /// vector's memory.
    pub fn call_taking(&self, argument: &mut Vec<u8>, reply: &mut Vec<u8>) {
        (self.call)(Argument::Movable(argument), reply);
    }

    /// Returns the size of the numbers if the argument is a vector of numbers, which then can be passed as [`Words`].
    pub fn argument_words(&self) -> Option<usize> {
        (self.word_size)()
    }

    /// Calls the function as [`call`](Entry::call) does. If the argument is a vector of numbers of their size, it
    /// becomes the owner of the memory of the words.
    pub fn call_words(&self, argument: Words, reply: &mut Vec<u8>) {
        (self.call)(Argument::Words(&mut Some(argument)), reply);
    }

    /// Calls the function on each argument of a [batch](super::batch), and passes the record of each outcome to
    /// `on_outcome` before the next call. Stops once `on_outcome` returns `false`, and leaves the other arguments
    /// unread.
    pub fn call_each(&self, arguments: &mut Records<'_>, on_outcome: &mut dyn FnMut(&[u8]) -> bool) {
        (self.call_each)(self, arguments, on_outcome);
    }

    /// Does what [`call_each`](Entry::call_each) does with one call after the other, so it needs no code of its own for
    /// each function.
    pub(super) fn call_one_by_one(&self, arguments: &mut Records<'_>, on_outcome: &mut dyn FnMut(&[u8]) -> bool) {
        let mut record = Vec::new();
        for argument in arguments {
            record.clear();
            batch::write_record(&mut record, |outcome| match batch::read_argument(argument) {
                batch::Argument::Call(argument) => self.call(argument, outcome),
                batch::Argument::Refused(error) => outcome::write_error(&error, outcome),
            });
            if !on_outcome(&record) {
                return;
            }
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.name())
    }
}

/// Returns whether the magic number of an entry is at this address.
///
/// # Safety
///
/// - `at` is aligned for an [`Entry`], and its bytes are mapped, readable and initialised.
pub(super) unsafe fn has_magic(at: *const Entry) -> bool {
    // SAFETY: by the contract; the magic number is plain data, of which any bytes are a value.
    unsafe { std::ptr::addr_of!((*at).magic).read() == MAGIC }
}
