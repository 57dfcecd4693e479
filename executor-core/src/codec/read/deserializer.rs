//! The interface to serde, which `Deserialize` implementations call.

use serde::{
    Deserializer,
    de::{Unexpected, Visitor},
};

use super::{Integer, Reader, compound::Variant};
use crate::codec::{failure::Failure, format::*, numbers, shapes::ReaderId};

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            let tag = self.tag()?;
            // A number that does not fit is passed on unchanged, so that the visitor's error shows it.
            if let Some(number) = self.unsigned_of(tag)? {
                return match <$type>::try_from(number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => visitor.visit_u64(number),
                };
            }
            match self.integer_of(tag)? {
                Some(Integer::Signed(number)) => match <$type>::try_from(number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => visitor.visit_i64(number),
                },
                Some(Integer::Unsigned128(number)) => match <$type>::try_from(number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => visitor.visit_u128(number),
                },
                Some(Integer::Signed128(number)) => match <$type>::try_from(number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => visitor.visit_i128(number),
                },
                Some(Integer::Unsigned(_)) | None => self.any(tag, visitor),
            }
        }
    )*};
}

macro_rules! by_tag {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            let tag = self.tag()?;
            self.any(tag, visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Failure;

    integers! {
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
    }

    by_tag! {
        deserialize_any
        deserialize_bytes
        deserialize_byte_buf
        deserialize_identifier
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.tag()? {
            TRUE => visitor.visit_bool(true),
            FALSE => visitor.visit_bool(false),
            other => self.any(other, visitor),
        }
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.tag()? {
            F32 => visitor.visit_f32(f32::from_bits(u32::from_le_bytes(self.fixed()?))),
            other => self.any(other, visitor),
        }
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.tag()? {
            F64 => visitor.visit_f64(f64::from_bits(u64::from_le_bytes(self.fixed()?))),
            other => self.any(other, visitor),
        }
    }

    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let tag = self.tag()?;
        self.any(tag, visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let tag = self.tag()?;
        match self.text_of(tag)? {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.any(tag, visitor),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.peek() {
            Some(NONE) => {
                self.tag()?;
                return visitor.visit_none();
            }
            Some(UNIT) => {
                self.tag()?;
                return visitor.visit_unit();
            }
            Some(SOME) => self.rest = &self.rest[1..],
            _ => {}
        }
        self.depth.enter_for::<V::Value>()?;
        let value = visitor.visit_some(&mut *self);
        self.depth.leave();
        value
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.tag()? {
            UNIT => visitor.visit_unit(),
            other => self.any(other, visitor),
        }
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_unit(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let tag = self.tag()?;
        if let Some(left) = self.sequence_of(tag)? {
            self.depth.enter_for::<V::Value>()?;
            return self.visit_sequence(left, visitor);
        }
        match tag {
            NUMBERS => {
                let (kind, bytes) = self.numbers()?;
                match numbers::read_all::<V>(kind, bytes) {
                    Some(value) => Ok(value),
                    None => self.visit_numbers(kind, bytes, visitor),
                }
            }
            BYTES => {
                let length = self.count()?;
                let bytes = self.slice(length)?;
                self.visit_numbers(0, bytes, visitor)
            }
            other => self.any(other, visitor),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        let tag = self.tag()?;
        match self.sequence_of(tag)? {
            Some(left) => {
                self.depth.enter_for::<V::Value>()?;
                self.visit_sequence(left, visitor)
            }
            None => self.any(tag, visitor),
        }
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.read_tuple(count, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let tag = self.tag()?;
        match self.map_of(tag)? {
            Some(left) => {
                self.depth.enter_for::<V::Value>()?;
                self.visit_entries(left, visitor)
            }
            None if tag == STRUCT => {
                self.depth.enter_for::<V::Value>()?;
                let number = u16::from_le_bytes(self.fixed()?);
                self.visit_fields(number, None, visitor)
            }
            None => self.any(tag, visitor),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        owner: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.tag()? {
            STRUCT => {
                self.depth.enter_for::<V::Value>()?;
                let number = u16::from_le_bytes(self.fixed()?);
                if number & HAS_ABSENT == 0 && self.are_in_order::<V>(number, fields) {
                    self.visit_sequence(fields.len(), visitor)
                } else {
                    self.visit_fields(number, Some(owner), visitor)
                }
            }
            other => self.any(other, visitor),
        }
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        owner: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let mut tag = self.tag()?;
        while tag == SOME {
            tag = self.tag()?;
        }
        if let Some(text) = self.text_of(tag)? {
            return visitor.visit_enum(Variant { reader: self, name: Some(text), owner, is_unit: true });
        }
        match tag {
            VARIANT => {
                let name = Some(self.variant()?);
                visitor.visit_enum(Variant { reader: self, name, owner, is_unit: true })
            }
            VARIANT_OF => {
                self.depth.enter_for::<V::Value>()?;
                let name = Some(self.variant()?);
                let left = self.rest.len();
                let value = visitor.visit_enum(Variant { reader: self, name, owner, is_unit: false });
                let is_read = self.rest.len() < left;
                self.close(value.is_ok(), is_read)?;
                value
            }
            // As in JSON, for a type that writes itself as a map from the variant to its content.
            MAP if self.peek() == Some(1) => {
                self.depth.enter_for::<V::Value>()?;
                self.count_of(2)?;
                let value = visitor.visit_enum(Variant { reader: self, name: None, owner, is_unit: false });
                self.close(value.is_ok(), true)?;
                value
            }
            _ => Err(serde::de::Error::invalid_type(Unexpected::Other("a value that is not a variant"), &visitor)),
        }
    }

    /// Skips a value. This fails if it is the value of a field, because the struct that reads has no such field.
    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if let Some(field) = self.field.filter(|field| field.left == self.rest.len()) {
            return Err(Failure::new(format!(
                "field `{}` of `{}` is serialized and not deserialized: it has `skip_deserializing`, or is renamed in \
                 one direction only",
                self.shapes.field(&field.fields, field.index),
                field.fields.owner
            )));
        }
        let tag = self.tag()?;
        self.any(tag, visitor)
    }

    /// Returns `true`, because the serializer does and both must agree.
    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }
}

impl<'de> Reader<'de> {
    /// Returns whether the shape has exactly these fields, in this order, and the visitor takes them in this order.
    #[inline]
    fn are_in_order<V: Visitor<'de>>(&mut self, number: u16, fields: &'static [&'static str]) -> bool {
        let asked = ReaderId { visitor: typeid::of::<V>(), fields };
        self.shapes.has_reader(number, asked) || self.compare_order::<V>(number, asked, fields)
    }

    /// Compares the shape with the visitor's fields.
    ///
    /// A hand-written visitor may not accept a sequence, or may take it in another order. A derived visitor takes it in
    /// the order of the fields that it asks for, and is recognised by its name. A false negative costs only time.
    #[inline(never)]
    fn compare_order<V: Visitor<'de>>(
        &mut self,
        number: u16,
        asked: ReaderId,
        fields: &'static [&'static str],
    ) -> bool {
        let are_in_order = self.shapes.consists_of(number, fields) && is_derived::<V>();
        if are_in_order {
            self.shapes.set_reader(number, asked);
        }
        are_in_order
    }
}

/// Returns whether this is, by its name, a visitor that serde derived for a struct or variant.
#[inline]
fn is_derived<V>() -> bool {
    const NAME: &[u8] = b"::__Visitor";
    // Only generic parameters can follow the name, so the search begins at the end.
    std::any::type_name::<V>().as_bytes().windows(NAME.len()).rev().any(|window| window == NAME)
}
