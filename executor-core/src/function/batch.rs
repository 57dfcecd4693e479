//! How the items of a batch are laid one behind the other.
//!
//! A batch is many calls of one function that travel together. Its arguments and its outcomes are records of a length
//! (four bytes, little-endian), and as many bytes. So a back-end can tell the items apart without knowing their types:
//! when a worker dies in the middle, it keeps the outcomes that have come, gives the item that was running an error, and
//! sends the rest to another worker.
//!
//! An argument record begins with one byte that says whether it could be written down; if not, the rest is the error, and
//! that is the item's outcome.

use crate::{Error, ErrorKind};

const ARGUMENT: u8 = 0;
const REFUSED: u8 = 1;

/// One argument of a batch.
#[derive(Debug)]
pub enum Argument<'a> {
    /// To be called with this.
    Call(&'a [u8]),
    /// Not to be called: this is the outcome.
    Refused(Error),
}

/// Appends one record, whose bytes `write` appends.
pub fn write_record(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[0; 4]);
    write(into);
    let length = u32::try_from(into.len() - start - 4).unwrap_or(u32::MAX);
    into[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Appends an argument, or the error of one that could not be written down.
pub(crate) fn write_argument(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>) {
    write_record(into, |into| {
        let start = into.len();
        into.push(ARGUMENT);
        if let Err(error) = write(into) {
            into.truncate(start);
            into.push(REFUSED);
            error.encode(into);
        }
    });
}

/// Reads an argument record.
pub fn read_argument(record: &[u8]) -> Argument<'_> {
    match record.split_first() {
        Some((&ARGUMENT, argument)) => Argument::Call(argument),
        Some((&REFUSED, error)) => Argument::Refused(Error::decode(error)),
        _ => Argument::Refused(Error::new(ErrorKind::Decode, "an item of a batch arrived damaged")),
    }
}

/// Splits the first record off. None where there is none, or it is cut short.
pub fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// The records, one after the other; it ends early where one is cut short.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (record, behind) = split_record(rest)?;
        rest = behind;
        Some(record)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_order_and_a_cut_one_ends_them() {
        let mut bytes = Vec::new();
        for text in ["one", "", "three"] {
            write_record(&mut bytes, |into| into.extend_from_slice(text.as_bytes()));
        }
        assert_eq!(records(&bytes).collect::<Vec<_>>(), [b"one".as_slice(), b"", b"three"]);
        bytes.pop();
        assert_eq!(records(&bytes).count(), 2);
    }
}
