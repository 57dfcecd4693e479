//! Reads values in the [format](super::format).
//!
//! This file has the reader and the parts that it reads byte by byte: tags, counts, numbers and text. `deserializer` is
//! the interface to serde, `visit` passes values to visitors, and `compound` has the elements and fields of compound
//! values.

mod compound;
mod deserializer;
mod visit;

use super::{
    depth::Depth,
    failure::Failure,
    format::*,
    numbers,
    shapes::{Known, KnownFields, Mark},
};

/// The deserializer: the bytes that are left to read, and the names in them.
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    shapes: Known<'de>,
    depth: Depth,
    /// The field whose value is read next.
    field: Option<Field<'de>>,
    /// Whether reading failed inside a value. The bytes after it would then be misread.
    failed: bool,
}

/// A field of a struct that is read by the type that wrote it.
#[derive(Clone, Copy)]
struct Field<'de> {
    /// How many bytes were left where its value begins.
    left: usize,
    fields: KnownFields<'de>,
    index: u32,
}

/// The number of elements of a sequence or map that goes up to an `END`.
const OPEN: usize = usize::MAX;

/// An integer, in the form in which a visitor takes it.
enum Integer {
    Unsigned(u64),
    Signed(i64),
    Unsigned128(u128),
    Signed128(i128),
}

impl<'de> Reader<'de> {
    #[inline]
    pub(super) fn new() -> Reader<'de> {
        Reader { rest: &[], shapes: Known::new(), depth: Depth::here(), field: None, failed: false }
    }

    /// Begins to read a value that consists of these bytes.
    #[inline]
    pub(super) fn begin(&mut self, bytes: &'de [u8]) -> Result<(), Failure> {
        self.rest = self.shapes.split(bytes)?;
        Ok(())
    }

    /// Checks that nothing failed and that all bytes were read.
    pub(super) fn finish(self) -> Result<Mark, Failure> {
        if self.failed {
            return Err(Failure::new("a part of it could not be read, and its `Deserialize` ignored that error"));
        }
        if self.rest.is_empty() { Ok(self.shapes.mark) } else { Err(Failure::damaged()) }
    }

    #[inline]
    fn tag(&mut self) -> Result<u8, Failure> {
        let Some((&tag, rest)) = self.rest.split_first() else { return Err(Failure::short()) };
        self.rest = rest;
        Ok(tag)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else { return Err(Failure::short()) };
        self.rest = rest;
        Ok(*bytes)
    }

    #[inline]
    fn slice(&mut self, length: usize) -> Result<&'de [u8], Failure> {
        let Some((bytes, rest)) = self.rest.split_at_checked(length) else { return Err(Failure::short()) };
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn count(&mut self) -> Result<usize, Failure> {
        let Some((count, rest)) = split_count(self.rest) else { return Err(Failure::short()) };
        self.rest = rest;
        Ok(count)
    }

    /// Reads a count of elements that take at least `least` bytes each.
    #[inline]
    fn count_of(&mut self, least: usize) -> Result<usize, Failure> {
        let count = self.count()?;
        if count > self.rest.len() / least {
            return Err(Failure::short());
        }
        Ok(count)
    }

    #[inline]
    fn text(&mut self, length: usize) -> Result<&'de str, Failure> {
        std::str::from_utf8(self.slice(length)?).map_err(|_| Failure::damaged())
    }

    /// Returns the text that follows this tag, or `None` if it is not the tag of a text.
    #[inline]
    fn text_of(&mut self, tag: u8) -> Result<Option<&'de str>, Failure> {
        match tag {
            SHORT_STR..SHORT_MINUS => self.text((tag - SHORT_STR).into()).map(Some),
            STR => {
                let length = self.count()?;
                self.text(length).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns the number that follows this tag, or `None` if it is not the tag of an unsigned number of up to 64 bits.
    #[inline(always)]
    fn unsigned_of(&mut self, tag: u8) -> Result<Option<u64>, Failure> {
        Ok(Some(match tag {
            0..=SMALL => tag.into(),
            U8 => self.fixed::<1>()?[0].into(),
            U16 => u16::from_le_bytes(self.fixed()?).into(),
            U32 => u32::from_le_bytes(self.fixed()?).into(),
            U64 => u64::from_le_bytes(self.fixed()?),
            _ => return Ok(None),
        }))
    }

    /// Returns the number that follows this tag, or `None` if it is not the tag of an integer.
    fn integer_of(&mut self, tag: u8) -> Result<Option<Integer>, Failure> {
        Ok(Some(match tag {
            SHORT_MINUS..UNIT => Integer::Signed(-1 - i64::from(tag - SHORT_MINUS)),
            I8 => Integer::Signed(i8::from_le_bytes(self.fixed()?).into()),
            I16 => Integer::Signed(i16::from_le_bytes(self.fixed()?).into()),
            I32 => Integer::Signed(i32::from_le_bytes(self.fixed()?).into()),
            I64 => Integer::Signed(i64::from_le_bytes(self.fixed()?)),
            U128 => Integer::Unsigned128(u128::from_le_bytes(self.fixed()?)),
            I128 => Integer::Signed128(i128::from_le_bytes(self.fixed()?)),
            _ => return Ok(self.unsigned_of(tag)?.map(Integer::Unsigned)),
        }))
    }

    /// Reads the name of a variant.
    #[inline]
    fn variant(&mut self) -> Result<&'de str, Failure> {
        let number = self.count()?;
        self.shapes.variant(number).ok_or_else(Failure::damaged)
    }

    /// Returns the number of elements of a sequence, or `None` if this is not the tag of one.
    #[inline]
    fn sequence_of(&mut self, tag: u8) -> Result<Option<usize>, Failure> {
        Ok(Some(match tag {
            SHORT_SEQ..SHORT_STR => {
                let count = (tag - SHORT_SEQ).into();
                if count > self.rest.len() {
                    return Err(Failure::short());
                }
                count
            }
            SEQ => self.count_of(1)?,
            SEQ_OPEN => OPEN,
            SEQ_SKEW => {
                self.count()?;
                OPEN
            }
            _ => return Ok(None),
        }))
    }

    /// Returns the number of entries of a map, or `None` if this is not the tag of one.
    #[inline]
    fn map_of(&mut self, tag: u8) -> Result<Option<usize>, Failure> {
        Ok(Some(match tag {
            MAP => self.count_of(2)?,
            MAP_OPEN => OPEN,
            MAP_SKEW => {
                self.count()?;
                OPEN
            }
            _ => return Ok(None),
        }))
    }

    /// Ends a compound value and checks that all of it was read. The value itself is not passed through this function,
    /// because that would copy it on the stack in a debug build.
    #[inline]
    fn close(&mut self, is_ok: bool, are_all_read: bool) -> Result<(), Failure> {
        self.depth.leave();
        if is_ok && are_all_read {
            return Ok(());
        }
        self.failed = true;
        if is_ok { Err(Failure::new("it has more elements or fields than its `Deserialize` reads")) } else { Ok(()) }
    }

    /// Reads the kind and the memory of a block of numbers.
    #[inline]
    fn numbers(&mut self) -> Result<(u8, &'de [u8]), Failure> {
        let kind = self.tag()?;
        let size = numbers::size(kind).ok_or_else(Failure::damaged)?;
        let count = self.count_of(size)?;
        Ok((kind, self.slice(count * size)?))
    }
}
