//! The layout of the items of a batch.
//!
//! A batch is many calls of one function that are sent together. Its arguments and its outcomes are records: a length
//! (four bytes, little-endian), and as many bytes. So a back-end can separate the items without knowing their types. If
//! a worker dies during a batch, the back-end keeps the outcomes that have arrived, fails the running item, and sends
//! the rest to another worker.
//!
//! An argument record ends with one byte that says whether the argument could be encoded. If not, the bytes before it
//! are the error, which is the item's outcome.
//!
//! ```
//! # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
//! use concurrent_futures::backend::function::batch;
//! let mut bytes = Vec::new();
//! for record in [&b"one"[..], b"", b"three"] {
//!     batch::write_record(&mut bytes, |into| into.extend_from_slice(record));
//! }
//! assert_eq!(batch::records(&bytes).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
//! ```

use std::ops::Deref;

use super::outcome;
use crate::{Error, ErrorKind, Payload, codec};

/// The bytes of a record besides the argument or the value.
pub(crate) const FRAME: usize = 5;

const ARGUMENT: u8 = 0;
const REFUSED: u8 = 1;

/// No record has this length, so a back-end may write it where a record is expected, to mark something else.
pub const NO_RECORD: u32 = u32::MAX;

/// One argument of a batch.
#[derive(Debug)]
pub enum Argument<'a> {
    /// The argument, with which the function must be called.
    Call(&'a [u8]),
    /// The outcome, because the function must not be called.
    Refused(Error),
}

/// The record of a number: its bytes at the start of an array, and how many these are.
pub(crate) struct NumberRecord([u8; NumberRecord::MOST], usize);

impl NumberRecord {
    const MOST: usize = FRAME + 16;

    /// Returns the record of a number, as an argument and as an outcome, which are the same. Returns `None` for other
    /// values. It is made without a vector, because that takes as long as a short function.
    #[inline(always)]
    pub(crate) fn of<T: Payload>(value: &T) -> Option<NumberRecord> {
        // Zero, because it lies in the padding of the number's bytes.
        const { assert!(ARGUMENT == outcome::VALUE && ARGUMENT == 0) };
        let (number, size) = codec::encode_number(value)?;
        let mut record = [ARGUMENT; NumberRecord::MOST];
        record[..4].copy_from_slice(&(size as u32 + 1).to_le_bytes());
        record[4..20].copy_from_slice(&number);
        Some(NumberRecord(record, FRAME + size))
    }
}

impl Deref for NumberRecord {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

/// Appends one record, whose bytes `write` appends: an argument or an [outcome]. A record that is longer than the
/// length field allows becomes an error.
#[inline]
pub fn write_record(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    write_record_up_to(NO_RECORD as usize - 1, into, write);
}

#[inline]
fn write_record_up_to(longest: usize, into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len() + 4;
    into.extend_from_slice(&[0; 4]);
    write(into);
    if into.len() - start > longest {
        replace_too_long(into, start);
    }
    let length = (into.len() - start) as u32;
    into[start - 4..start].copy_from_slice(&length.to_le_bytes());
}

#[cold]
fn replace_too_long(into: &mut Vec<u8>, start: usize) {
    let length = into.len() - start;
    into.truncate(start);
    // This is valid both as a refused argument and as an outcome, because both end with the same byte for an error.
    const { assert!(REFUSED == outcome::ERROR) };
    let message = format!("an item of {length} bytes is too long for a chunk: use `chunksize(1)`");
    outcome::write_error(&Error::new(ErrorKind::Encode, message), into);
}

/// Appends an argument, or the error of one that could not be encoded.
#[inline]
pub(crate) fn write_argument(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>) {
    write_record(into, |into| {
        let start = into.len();
        let written = write(into);
        if let Err(error) = &written {
            into.truncate(start);
            error.encode(into);
        }
        into.push(if written.is_ok() { ARGUMENT } else { REFUSED });
    });
}

/// Reads an argument record.
#[inline]
pub fn read_argument(record: &[u8]) -> Argument<'_> {
    match record.split_last() {
        Some((&ARGUMENT, argument)) => Argument::Call(argument),
        Some((&REFUSED, error)) => Argument::Refused(Error::decode(error)),
        _ => Argument::Refused(Error::new(ErrorKind::Decode, "an item of a batch arrived damaged")),
    }
}

/// Splits off the first record. Returns `None` if there is none, or it is cut short.
#[inline]
pub fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// Returns the records, one after the other. The iterator ends at a record that is cut short.
pub fn records(bytes: &[u8]) -> Records<'_> {
    Records { rest: bytes }
}

/// Iterates over records. [`records`] returns it.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Returns the bytes after the records that were read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (record, behind) = split_record(self.rest)?;
        self.rest = behind;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_in_order_up_to_one_that_is_cut_short() {
        let mut bytes = Vec::new();
        for text in ["one", "", "three"] {
            write_record(&mut bytes, |into| into.extend_from_slice(text.as_bytes()));
        }
        assert_eq!(records(&bytes).collect::<Vec<_>>(), [b"one".as_slice(), b"", b"three"]);
        bytes.pop();
        assert_eq!(records(&bytes).count(), 2);
    }

    #[test]
    fn the_record_of_a_number_is_that_of_any_other_value() {
        fn check<T: Payload>(mut number: T) {
            let (mut argument, mut value) = (Vec::new(), Vec::new());
            write_argument(&mut argument, |into| codec::encode(&number, into));
            write_record(&mut value, |into| outcome::write_value(&mut number, into).expect("written"));
            let record = NumberRecord::of(&number).expect("a number");
            assert!(*record == *argument && *record == *value);
        }
        check(7u8);
        check(-2i16);
        check(1.5f32);
        check(u64::MAX - 1);
        check(i128::MIN);
        assert!(NumberRecord::of(&true).is_none() && NumberRecord::of(&"text".to_string()).is_none());
    }

    #[test]
    fn a_record_that_is_too_long_becomes_an_error_and_the_next_one_is_intact() {
        let mut bytes = Vec::new();
        write_record_up_to(200, &mut bytes, |into| into.extend_from_slice(&[0; 201]));
        write_record_up_to(200, &mut bytes, |into| into.extend_from_slice(&[7, 0]));
        let records: Vec<&[u8]> = records(&bytes).collect();
        assert!(matches!(read_argument(records[0]), Argument::Refused(error) if error.kind() == ErrorKind::Encode));
        assert_eq!(outcome::read::<u8>(records[0]).expect_err("an error").kind(), ErrorKind::Encode);
        assert!(matches!(read_argument(records[1]), Argument::Call([7])));
    }
}
