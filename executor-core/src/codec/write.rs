//! Writes values in the [format](super::format).
//!
//! This file has the writer and the parts that it writes byte by byte: tags, counts and numbers. `serializer` is the
//! interface to serde, and `compound` has the elements and fields of compound values.

mod compound;
mod serializer;

use serde::Serialize;

use super::{
    depth::Depth,
    failure::Failure,
    format::*,
    shapes::{self, Mark, Notes, Written},
};

/// The serializer, which appends to a vector.
pub(super) struct Writer<'v> {
    into: &'v mut Vec<u8>,
    depth: Depth,
    /// Created when the first name is written.
    names: Option<Box<Written>>,
    notes: Notes,
    /// The number of values of no size that were written.
    units: usize,
    /// Whether a part failed. The bytes are then invalid even if the `Serialize` implementation continues.
    failed: bool,
}

/// The maximum number of values of no size within one value. They take no memory, but each takes one byte when it is
/// written, so a small value could otherwise need any number of bytes.
const MOST_UNITS: usize = 1 << 20;

/// The maximum number of elements of a sequence or map. Memory limits a vector of elements with a size much earlier.
const MOST_ELEMENTS: u64 = 1 << 32;

impl<'v> Writer<'v> {
    #[inline]
    pub(super) fn new(into: &'v mut Vec<u8>) -> Writer<'v> {
        Writer { into, depth: Depth::here(), names: None, notes: Notes::default(), units: 0, failed: false }
    }

    /// Writes the names, and returns the mark of the value.
    pub(super) fn finish(self) -> Result<Mark, Failure> {
        if self.failed {
            return Err(Failure::new("a part of it could not be written, and its `Serialize` ignored that error"));
        }
        shapes::finish(self.names, self.notes, self.into)
    }

    #[inline]
    fn names(&mut self) -> &mut Written {
        self.names.get_or_insert_with(Written::take)
    }

    #[inline]
    fn put<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) {
        self.into.reserve(1 + N);
        self.into.push(tag);
        self.into.extend_from_slice(&bytes);
    }

    #[inline]
    fn number(&mut self, number: u64) {
        if number <= SMALL.into() {
            self.into.push(number as u8);
        } else if let Ok(number) = u8::try_from(number) {
            self.put(U8, [number]);
        } else if let Ok(number) = u16::try_from(number) {
            self.put(U16, number.to_le_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.put(U32, number.to_le_bytes());
        } else {
            self.put(U64, number.to_le_bytes());
        }
    }

    #[inline]
    fn signed(&mut self, number: i64) {
        if number >= 0 {
            self.number(number as u64);
        } else if number >= SMALL_MINUS {
            self.into.push(SHORT_MINUS + (-1 - number) as u8);
        } else if let Ok(number) = i8::try_from(number) {
            self.put(I8, number.to_le_bytes());
        } else if let Ok(number) = i16::try_from(number) {
            self.put(I16, number.to_le_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.put(I32, number.to_le_bytes());
        } else {
            self.put(I64, number.to_le_bytes());
        }
    }

    #[inline]
    fn unit(&mut self) -> Result<(), Failure> {
        self.units += 1;
        if self.units > MOST_UNITS {
            return Err(Failure::new(format!(
                "it has more than {MOST_UNITS} values of no size: send their number instead"
            )));
        }
        self.into.push(UNIT);
        Ok(())
    }

    #[inline]
    fn count(&mut self, tag: u8, count: usize) -> Result<(), Failure> {
        if count as u64 > MOST_ELEMENTS {
            return Err(Failure::new(format!(
                "it has a sequence or map of {count} elements, which is more than can be sent"
            )));
        }
        self.into.push(tag);
        write_count(count, self.into);
        Ok(())
    }

    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), Failure> {
        part.serialize(&mut *self).inspect_err(|_| self.failed = true)
    }
}
