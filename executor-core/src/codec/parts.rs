//! The parts of compound values, as they are read.

use serde::{
    Deserializer,
    de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor, value::BorrowedStrDeserializer},
};

use super::{
    failure::Failure,
    format::{ABSENT, END, HAS_ABSENT},
    read::{Field, Reader},
    run,
    shapes::KnownFields,
};

/// The elements of a sequence, or the keys and values of a map.
pub(super) struct Elements<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    /// How many are left. Never more than there are bytes, or [`OPEN`].
    pub(super) left: usize,
}

/// Elements up to an end.
pub(super) const OPEN: usize = usize::MAX;

impl Elements<'_, '_> {
    /// Goes to the next element. `false`: there is none.
    #[inline]
    fn next(&mut self) -> bool {
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

    /// Whether all were read.
    #[inline]
    pub(super) fn are_read(&mut self) -> bool {
        !self.next()
    }

    fn count(&self) -> Option<usize> {
        (self.left != OPEN).then_some(self.left)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        if !self.next() {
            return Ok(None);
        }
        // Without `map`, whose copies of the value cost stack in a debug build.
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

/// Plain numbers, one by one.
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
        run::read_one(self.kind, &mut self.bytes, seed).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len() / run::size(self.kind)?)
    }
}

/// The fields of a struct, by their names.
pub(super) struct Fields<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    pub(super) names: KnownFields<'de>,
    /// Which field is next.
    pub(super) index: u32,
    /// Of the number of the shape.
    pub(super) mark: u16,
    /// The type that reads, if it does so by its fields.
    pub(super) owner: Option<&'static str>,
}

impl Fields<'_, '_> {
    /// Goes over fields that are absent. Whether all were read.
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

/// A variant and what it holds, as a map of one entry.
pub(super) struct Entry<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    /// `None`: it was read.
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

/// A variant, and what it holds.
pub(super) struct Variant<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    /// `None`: it is the next value.
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
            Err(Failure::new("it is a variant that holds nothing, and is read as one that does"))
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
        self.reader.read_tuple(count, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Failure> {
        self.expect_content()?;
        self.reader.deserialize_struct(self.owner, fields, visitor)
    }
}
