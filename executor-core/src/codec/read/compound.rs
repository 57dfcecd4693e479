//! The elements, entries and fields of compound values, as a visitor takes them.

use serde::{
    Deserializer,
    de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor, value::BorrowedStrDeserializer},
};

use super::{Field, OPEN, Reader};
use crate::codec::{
    failure::Failure,
    format::{ABSENT, END, HAS_ABSENT},
    numbers,
    shapes::KnownFields,
};

/// The elements of a sequence, or the keys and values of a map.
pub(super) struct Elements<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    /// The number of elements that are left: at most as many as there are bytes, or [`OPEN`].
    pub(super) left: usize,
}

impl Elements<'_, '_> {
    /// Advances to the next element. Returns `false` if there is none.
    #[inline]
    fn advance(&mut self) -> bool {
        match self.left {
            0 => return false,
            OPEN if self.reader.peek() == Some(END) => {
                self.reader.rest = &self.reader.rest[1..];
                self.left = 0;
                return false;
            }
            OPEN => {}
            _ => self.left -= 1,
        }
        true
    }

    /// Returns whether all elements were read.
    #[inline]
    pub(super) fn are_read(&mut self) -> bool {
        !self.advance()
    }

    fn count(&self) -> Option<usize> {
        (self.left != OPEN).then_some(self.left)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        if !self.advance() {
            return Ok(None);
        }
        // Not `map`, because it would copy the value on the stack in a debug build.
        match seed.deserialize(&mut *self.reader) {
            Ok(value) => Ok(Some(value)),
            Err(failure) => Err(failure),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.count()
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        self.next_element_seed(seed)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Failure> {
        seed.deserialize(&mut *self.reader)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.count()
    }
}

/// A block of numbers, one by one.
pub(super) struct Numbers<'de> {
    pub(super) kind: u8,
    pub(super) bytes: &'de [u8],
}

impl<'de> SeqAccess<'de> for Numbers<'de> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        numbers::read_one(self.kind, &mut self.bytes, seed).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len() / numbers::size(self.kind)?)
    }
}

/// The fields of a struct, as a map from their names.
pub(super) struct Fields<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    pub(super) names: KnownFields<'de>,
    /// The index of the next field.
    pub(super) index: u32,
    /// `HAS_ABSENT` if some fields are absent, else 0.
    pub(super) mark: u16,
    /// The type that reads, if it asked for its own fields.
    pub(super) owner: Option<&'static str>,
}

impl Fields<'_, '_> {
    /// Skips fields that are absent, and returns whether all were read.
    #[inline]
    pub(super) fn are_read(&mut self) -> bool {
        while self.mark & HAS_ABSENT != 0 && self.index < self.names.count && self.reader.peek() == Some(ABSENT) {
            self.reader.rest = &self.reader.rest[1..];
            self.index += 1;
        }
        self.index == self.names.count
    }
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        if self.are_read() {
            return Ok(None);
        }
        let name = self.reader.shapes.field(&self.names, self.index);
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Failure> {
        if self.index == self.names.count {
            return Err(Failure::damaged());
        }
        self.reader.field = (self.owner == Some(self.names.owner)).then_some(Field {
            left: self.reader.rest.len(),
            fields: self.names,
            index: self.index,
        });
        self.index += 1;
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant, as a map of one entry from its name to its content.
pub(super) struct Entry<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    /// The name, or `None` if it was read.
    pub(super) name: Option<&'de str>,
}

impl<'de> MapAccess<'de> for Entry<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        self.name.take().map(|name| seed.deserialize(BorrowedStrDeserializer::new(name))).transpose()
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Failure> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(usize::from(self.name.is_some()))
    }
}

/// A variant and its content.
pub(super) struct Variant<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    /// The name, or `None` if the next value is the name.
    pub(super) name: Option<&'de str>,
    /// The enum that reads.
    pub(super) owner: &'static str,
    pub(super) is_unit: bool,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Failure;
    type Variant = Self;

    #[inline]
    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Failure> {
        let variant = match self.name {
            Some(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            None => seed.deserialize(&mut *self.reader),
        }?;
        Ok((variant, self))
    }
}

impl Variant<'_, '_> {
    #[inline]
    fn expect_content(&self) -> Result<(), Failure> {
        if self.is_unit {
            Err(Failure::new("it is a variant without content, and is read as one with content"))
        } else {
            Ok(())
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn unit_variant(self) -> Result<(), Failure> {
        if self.is_unit { Ok(()) } else { serde::Deserialize::deserialize(self.reader) }
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failure> {
        self.expect_content()?;
        seed.deserialize(self.reader)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Failure> {
        self.expect_content()?;
        self.reader.deserialize_tuple_struct(self.owner, count, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Failure> {
        self.expect_content()?;
        self.reader.deserialize_struct(self.owner, fields, visitor)
    }
}
