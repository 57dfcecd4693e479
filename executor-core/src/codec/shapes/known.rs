//! The names of a value that is being read.

use smallvec::SmallVec;

use super::mark::Mark;
use crate::codec::{
    failure::Failure,
    format::{self, NAMES, NO_NAMES},
};

/// The shapes and variants of a value that is being read.
#[derive(Debug)]
pub(in crate::codec) struct Known<'de> {
    shapes: SmallVec<[KnownShape<'de>; 1]>,
    /// The names of the fields of the shapes in which `KnownShape::fields` is set.
    fields: Vec<&'de str>,
    variants: SmallVec<[&'de str; 2]>,
    pub(in crate::codec) mark: Mark,
}

/// A shape that was read.
#[derive(Clone, Copy, Debug)]
struct KnownShape<'de> {
    /// The encoded name of the type, count of fields and names of fields. They are decoded when they are needed.
    written: &'de [u8],
    /// A reader that is known to read exactly these fields, in this order.
    reader: Option<ReaderId>,
    fields: Option<KnownFields<'de>>,
}

/// The decoded names of the fields of a shape.
#[derive(Clone, Copy, Debug)]
pub(in crate::codec) struct KnownFields<'de> {
    /// The name of the type that wrote them.
    pub(in crate::codec) owner: &'de str,
    first: u32,
    pub(in crate::codec) count: u32,
}

/// The visitor that reads a struct, and the fields that it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) struct ReaderId {
    pub(in crate::codec) visitor: std::any::TypeId,
    pub(in crate::codec) fields: *const [&'static str],
}

impl<'de> Known<'de> {
    #[inline]
    pub(in crate::codec) fn new() -> Known<'de> {
        Known { shapes: SmallVec::new(), fields: Vec::new(), variants: SmallVec::new(), mark: Mark::NONE }
    }

    /// Splits the names off the end of a value.
    #[inline]
    pub(in crate::codec) fn split(&mut self, bytes: &'de [u8]) -> Result<&'de [u8], Failure> {
        match bytes.split_last() {
            Some((&NO_NAMES, value)) => Ok(value),
            Some((&NAMES, rest)) => self.read(rest).ok_or_else(Failure::damaged),
            Some(_) => Err(Failure::damaged()),
            None => Err(Failure::short()),
        }
    }

    /// Returns the bytes of the value, or `None` if the names are damaged.
    #[inline(never)]
    fn read(&mut self, bytes: &'de [u8]) -> Option<&'de [u8]> {
        let (rest, length) = bytes.split_last_chunk()?;
        let (rest, mark) = rest.split_last_chunk()?;
        self.mark = Mark::from_number(u64::from_le_bytes(*mark));
        let start = rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?;
        let (value, mut names) = rest.split_at_checked(start)?;
        // Each shape and each variant takes at least one byte, so the loops end when the bytes do.
        for _ in 0..take_count(&mut names)? {
            let written = take_slice(&mut names)?;
            self.shapes.push(KnownShape { written, reader: None, fields: None });
        }
        for _ in 0..take_count(&mut names)? {
            self.variants.push(take_text(&mut names)?);
        }
        names.is_empty().then_some(value)
    }

    /// Returns whether this reader is known to read exactly the fields of a shape, in their order.
    #[inline]
    pub(in crate::codec) fn has_reader(&self, number: u16, reader: ReaderId) -> bool {
        self.shapes.get(usize::from(number)).is_some_and(|shape| shape.reader == Some(reader))
    }

    pub(in crate::codec) fn set_reader(&mut self, number: u16, reader: ReaderId) {
        if let Some(shape) = self.shapes.get_mut(usize::from(number)) {
            shape.reader = Some(reader);
        }
    }

    /// Returns whether a shape consists of exactly these fields, in this order.
    pub(in crate::codec) fn consists_of(&self, number: u16, fields: &[&str]) -> bool {
        let compare = |mut written: &[u8]| {
            take_slice(&mut written)?;
            let is_as_long = take_count(&mut written)? == fields.len();
            let mut fields = fields.iter();
            (is_as_long && fields.all(|field| take_slice(&mut written) == Some(field.as_bytes()))).then_some(())
        };
        self.shapes.get(usize::from(number)).is_some_and(|shape| compare(shape.written).is_some())
    }

    /// Returns the names of the fields of a shape, or `None` if no shape has this number or it is damaged.
    #[inline]
    pub(in crate::codec) fn fields_of(&mut self, number: u16) -> Option<KnownFields<'de>> {
        match self.shapes.get(usize::from(number))?.fields {
            Some(fields) => Some(fields),
            None => self.read_fields(number),
        }
    }

    #[inline(never)]
    fn read_fields(&mut self, number: u16) -> Option<KnownFields<'de>> {
        let shape = self.shapes.get_mut(usize::from(number))?;
        let mut written = shape.written;
        let owner = take_text(&mut written)?;
        let count = u32::try_from(take_count(&mut written)?).ok()?;
        let first = u32::try_from(self.fields.len()).ok()?;
        for _ in 0..count {
            self.fields.push(take_text(&mut written)?);
        }
        let fields = KnownFields { owner, first, count };
        shape.fields = Some(fields);
        written.is_empty().then_some(fields)
    }

    #[inline]
    pub(in crate::codec) fn field(&self, fields: &KnownFields<'de>, index: u32) -> &'de str {
        self.fields[(fields.first + index) as usize]
    }

    #[inline]
    pub(in crate::codec) fn variant(&self, number: usize) -> Option<&'de str> {
        self.variants.get(number).copied()
    }
}

#[inline]
fn take_count(bytes: &mut &[u8]) -> Option<usize> {
    let (count, rest) = format::split_count(bytes)?;
    *bytes = rest;
    Some(count)
}

#[inline]
fn take_slice<'de>(bytes: &mut &'de [u8]) -> Option<&'de [u8]> {
    let length = take_count(bytes)?;
    let (slice, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(slice)
}

fn take_text<'de>(bytes: &mut &'de [u8]) -> Option<&'de str> {
    std::str::from_utf8(take_slice(bytes)?).ok()
}
