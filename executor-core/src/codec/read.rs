//! Reads values in the [format](super::format).
//!
//! A value that is asked for by its type is read by that type's own method, and anything else by
//! [`deserialize_any`](Reader), which hands the visitor what is there: the visitor then says what it expected.

mod deserializer;

use serde::de::Visitor;

use super::{
    depth::Depth,
    failure::Failure,
    format::*,
    parts::{Elements, Entry, Fields, Numbers, OPEN},
    run,
    shapes::{Known, KnownFields, Mark, ReaderId},
};

/// The deserializer.
pub(super) struct Reader<'de> {
    pub(super) rest: &'de [u8],
    pub(super) shapes: Known<'de>,
    pub(super) depth: Depth,
    /// The field whose value is read next.
    pub(super) field: Option<Field<'de>>,
    /// Whether a value failed in its middle. What follows would be read as something that it is not.
    failed: bool,
}

/// The field of a struct that is read by the type that wrote it.
#[derive(Clone, Copy)]
pub(super) struct Field<'de> {
    /// How many bytes were left where its value begins.
    pub(super) left: usize,
    pub(super) fields: KnownFields<'de>,
    pub(super) index: u32,
}

/// A whole number, by its sign.
enum Whole {
    Plus(u64),
    Minus(i64),
    LongPlus(u128),
    LongMinus(i128),
}

impl<'de> Reader<'de> {
    #[inline]
    pub(super) fn new() -> Reader<'de> {
        Reader { rest: &[], shapes: Known::new(), depth: Depth::here(), field: None, failed: false }
    }

    /// Begins a value that is in these bytes.
    #[inline]
    pub(super) fn begin(&mut self, bytes: &'de [u8]) -> Result<(), Failure> {
        self.rest = self.shapes.split(bytes)?;
        Ok(())
    }

    /// Checks that this was all, and that all of it was read.
    pub(super) fn finish(self) -> Result<Mark, Failure> {
        if self.failed {
            return Err(Failure::new("a part of it could not be read, and its `Deserialize` went on in spite of that"));
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
    pub(super) fn peek(&self) -> Option<u8> {
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

    /// A count of elements that take at least so many bytes each.
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
        str::from_utf8(self.slice(length)?).map_err(|_| Failure::damaged())
    }

    /// The text behind this tag, if it is one of a text.
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

    /// The number behind this tag, if it is one of a number that is not negative.
    #[inline(always)]
    fn plus_of(&mut self, tag: u8) -> Result<Option<u64>, Failure> {
        Ok(Some(match tag {
            0..=SMALL => tag.into(),
            U8 => self.fixed::<1>()?[0].into(),
            U16 => u16::from_le_bytes(self.fixed()?).into(),
            U32 => u32::from_le_bytes(self.fixed()?).into(),
            U64 => u64::from_le_bytes(self.fixed()?),
            _ => return Ok(None),
        }))
    }

    /// The number behind this tag, if it is one of a whole number.
    fn whole_of(&mut self, tag: u8) -> Result<Option<Whole>, Failure> {
        Ok(Some(match tag {
            SHORT_MINUS..UNIT => Whole::Minus(-1 - i64::from(tag - SHORT_MINUS)),
            I8 => Whole::Minus(i8::from_le_bytes(self.fixed()?).into()),
            I16 => Whole::Minus(i16::from_le_bytes(self.fixed()?).into()),
            I32 => Whole::Minus(i32::from_le_bytes(self.fixed()?).into()),
            I64 => Whole::Minus(i64::from_le_bytes(self.fixed()?)),
            U128 => Whole::LongPlus(u128::from_le_bytes(self.fixed()?)),
            I128 => Whole::LongMinus(i128::from_le_bytes(self.fixed()?)),
            _ => return Ok(self.plus_of(tag)?.map(Whole::Plus)),
        }))
    }

    /// The name of a variant.
    #[inline]
    fn variant(&mut self) -> Result<&'de str, Failure> {
        let number = self.count()?;
        self.shapes.variant(number).ok_or_else(Failure::damaged)
    }

    /// How many elements are in a sequence with this tag, if it is one.
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

    /// How many entries are in a map with this tag, if it is one.
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

    /// Ends a compound value, of which nothing may be left. The value itself does not pass through here: each pass
    /// would be a copy on the stack of a debug build.
    #[inline]
    fn close(&mut self, is_ok: bool, are_all_read: bool) -> Result<(), Failure> {
        self.depth.leave();
        if is_ok && are_all_read {
            return Ok(());
        }
        self.failed = true;
        if is_ok { Err(Failure::new("it has more elements or fields than its `Deserialize` reads")) } else { Ok(()) }
    }

    /// The kind and the memory of plain numbers.
    #[inline]
    fn numbers(&mut self) -> Result<(u8, &'de [u8]), Failure> {
        let kind = self.tag()?;
        let size = run::size(kind).ok_or_else(Failure::damaged)?;
        let count = self.count_of(size)?;
        Ok((kind, self.slice(count * size)?))
    }

    #[inline]
    fn visit_sequence<V: Visitor<'de>>(&mut self, left: usize, visitor: V) -> Result<V::Value, Failure> {
        let mut elements = Elements { reader: self, left };
        let value = visitor.visit_seq(&mut elements);
        let are_all_read = elements.are_read();
        self.close(value.is_ok(), are_all_read)?;
        value
    }

    #[inline]
    fn visit_entries<V: Visitor<'de>>(&mut self, left: usize, visitor: V) -> Result<V::Value, Failure> {
        let mut entries = Elements { reader: self, left };
        let value = visitor.visit_map(&mut entries);
        let are_all_read = entries.are_read();
        self.close(value.is_ok(), are_all_read)?;
        value
    }

    #[inline]
    fn visit_numbers<V: Visitor<'de>>(&mut self, kind: u8, bytes: &'de [u8], visitor: V) -> Result<V::Value, Failure> {
        let mut numbers = Numbers { kind, bytes };
        let value = visitor.visit_seq(&mut numbers);
        if value.is_ok() && !numbers.bytes.is_empty() {
            return Err(Failure::new("it has more elements than its `Deserialize` reads"));
        }
        value
    }

    /// Reads the fields of a tuple struct or variant. If some are left out it is not to be known which.
    pub(super) fn read_tuple<V: Visitor<'de>>(&mut self, count: usize, visitor: V) -> Result<V::Value, Failure> {
        let tag = self.tag()?;
        match self.sequence_of(tag)? {
            Some(written) if written == count || written == OPEN => {
                self.depth.enter_for::<V::Value>()?;
                self.visit_sequence(written, visitor)
            }
            Some(written) => {
                self.failed = true;
                Err(Failure::new(format!(
                    "{written} of its {count} fields were written, and fields without names cannot be left out: give \
                     them names, or write all of them"
                )))
            }
            None => self.any(tag, visitor),
        }
    }

    /// `owner` is the type that reads, if it does so by its fields.
    fn visit_fields<V: Visitor<'de>>(
        &mut self,
        number: u16,
        owner: Option<&'static str>,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let names = self.shapes.fields_of(number & !HAS_ABSENT).ok_or_else(Failure::damaged)?;
        let mut fields = Fields { reader: self, names, index: 0, mark: number & HAS_ABSENT, owner };
        let value = visitor.visit_map(&mut fields);
        let are_all_read = fields.are_read();
        self.close(value.is_ok(), are_all_read)?;
        value
    }

    /// Whether these are all fields that the visitor asks for, in the order in which it takes them.
    #[inline]
    fn are_in_order<V: Visitor<'de>>(&mut self, number: u16, fields: &'static [&'static str]) -> bool {
        let asked = ReaderId { visitor: typeid::of::<V>(), fields };
        self.shapes.has_reader(number, asked) || self.compare::<V>(number, asked, fields)
    }

    /// A visitor that is written by hand may take a sequence in another order, or not at all. Those that serde derives
    /// take one in the order of the fields that they ask for, and are known by their name; another name costs only
    /// time.
    #[inline(never)]
    fn compare<V: Visitor<'de>>(&mut self, number: u16, asked: ReaderId, fields: &'static [&'static str]) -> bool {
        let are_in_order = self.shapes.consists_of(number, fields) && is_derived::<V>();
        if are_in_order {
            self.shapes.set_reader(number, asked);
        }
        are_in_order
    }

    /// Reads whatever has this tag.
    fn any<V: Visitor<'de>>(&mut self, mut tag: u8, visitor: V) -> Result<V::Value, Failure> {
        // An option is what is in it, as in JSON, unless that would be taken for nothing.
        while tag == SOME && !matches!(self.peek(), Some(NONE | SOME | UNIT)) {
            tag = self.tag()?;
        }
        if let Some(number) = self.whole_of(tag)? {
            return match number {
                Whole::Plus(number) => visitor.visit_u64(number),
                Whole::Minus(number) => visitor.visit_i64(number),
                Whole::LongPlus(number) => visitor.visit_u128(number),
                Whole::LongMinus(number) => visitor.visit_i128(number),
            };
        }
        if let Some(text) = self.text_of(tag)? {
            return visitor.visit_borrowed_str(text);
        }
        match tag {
            UNIT => visitor.visit_unit(),
            NONE => visitor.visit_none(),
            FALSE => visitor.visit_bool(false),
            TRUE => visitor.visit_bool(true),
            F32 => visitor.visit_f32(f32::from_bits(u32::from_le_bytes(self.fixed()?))),
            F64 => visitor.visit_f64(f64::from_bits(u64::from_le_bytes(self.fixed()?))),
            CHAR => {
                let char = char::from_u32(u32::from_le_bytes(self.fixed()?)).ok_or_else(Failure::damaged)?;
                visitor.visit_char(char)
            }
            BYTES => {
                let length = self.count()?;
                visitor.visit_borrowed_bytes(self.slice(length)?)
            }
            NUMBERS => {
                let (kind, bytes) = self.numbers()?;
                self.visit_numbers(kind, bytes, visitor)
            }
            // As in JSON: the name of the variant, or a map of it to what it holds.
            VARIANT => visitor.visit_borrowed_str(self.variant()?),
            _ => self.any_compound(tag, visitor),
        }
    }

    /// Apart, so that its frame is not one of each number's.
    fn any_compound<V: Visitor<'de>>(&mut self, tag: u8, visitor: V) -> Result<V::Value, Failure> {
        self.depth.enter_untyped::<V>()?;
        if let Some(left) = self.sequence_of(tag)? {
            return self.visit_sequence(left, visitor);
        }
        if let Some(left) = self.map_of(tag)? {
            return self.visit_entries(left, visitor);
        }
        match tag {
            STRUCT => {
                let number = u16::from_le_bytes(self.fixed()?);
                self.visit_fields(number, None, visitor)
            }
            VARIANT_OF => {
                let name = Some(self.variant()?);
                let left = self.rest.len();
                let value = visitor.visit_map(Entry { reader: self, name });
                // What the variant holds takes at least a byte, and checks its own end.
                let is_read = self.rest.len() < left;
                self.close(value.is_ok(), is_read)?;
                value
            }
            SOME => {
                let value = visitor.visit_some(&mut *self);
                self.depth.leave();
                value
            }
            _ => Err(Failure::damaged()),
        }
    }
}

/// Whether this is the visitor of a struct or variant as serde derives them, by its name.
#[inline]
fn is_derived<V>() -> bool {
    const NAME: &[u8] = b"::__Visitor";
    // Behind it are its parameters at most, so it is near the end.
    std::any::type_name::<V>().as_bytes().windows(NAME.len()).rev().any(|window| window == NAME)
}
