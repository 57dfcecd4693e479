//! Passes the next value to a visitor.

use serde::de::Visitor;

use super::{
    Integer, OPEN, Reader,
    compound::{Elements, Entry, Fields, Numbers},
};
use crate::codec::{failure::Failure, format::*};

impl<'de> Reader<'de> {
    #[inline]
    pub(super) fn visit_sequence<V: Visitor<'de>>(&mut self, left: usize, visitor: V) -> Result<V::Value, Failure> {
        let mut elements = Elements { reader: self, left };
        let value = visitor.visit_seq(&mut elements);
        let are_all_read = elements.are_read();
        self.close(value.is_ok(), are_all_read)?;
        value
    }

    #[inline]
    pub(super) fn visit_entries<V: Visitor<'de>>(&mut self, left: usize, visitor: V) -> Result<V::Value, Failure> {
        let mut entries = Elements { reader: self, left };
        let value = visitor.visit_map(&mut entries);
        let are_all_read = entries.are_read();
        self.close(value.is_ok(), are_all_read)?;
        value
    }

    #[inline]
    pub(super) fn visit_numbers<V: Visitor<'de>>(
        &mut self,
        kind: u8,
        bytes: &'de [u8],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let mut numbers = Numbers { kind, bytes };
        let value = visitor.visit_seq(&mut numbers);
        if value.is_ok() && !numbers.bytes.is_empty() {
            return Err(Failure::new("it has more elements than its `Deserialize` reads"));
        }
        value
    }

    /// Reads the fields of a tuple struct or variant. If some are missing, this fails, because it is not known which
    /// ones were omitted.
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
                    "{written} of its {count} fields were written, and fields without names cannot be omitted: name \
                     them, or write all of them"
                )))
            }
            None => self.any(tag, visitor),
        }
    }

    /// Passes the fields of a struct as a map. `owner` is the type that reads, if it asked for its own fields.
    pub(super) fn visit_fields<V: Visitor<'de>>(
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

    /// Reads a value of any kind that begins with this tag.
    pub(super) fn any<V: Visitor<'de>>(&mut self, mut tag: u8, visitor: V) -> Result<V::Value, Failure> {
        // As in JSON, `Some` is read as its content, unless that would be read as `None`.
        while tag == SOME && !matches!(self.peek(), Some(NONE | SOME | UNIT)) {
            tag = self.tag()?;
        }
        if let Some(number) = self.integer_of(tag)? {
            return match number {
                Integer::Unsigned(number) => visitor.visit_u64(number),
                Integer::Signed(number) => visitor.visit_i64(number),
                Integer::Unsigned128(number) => visitor.visit_u128(number),
                Integer::Signed128(number) => visitor.visit_i128(number),
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
            // As in JSON: the name of the variant, or a map of one entry from it to its content.
            VARIANT => visitor.visit_borrowed_str(self.variant()?),
            _ => self.any_compound(tag, visitor),
        }
    }

    /// Reads a compound value. It is a function of its own, so that reading a number does not need its stack frame.
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
                // The content takes at least one byte, and checks its own end.
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
