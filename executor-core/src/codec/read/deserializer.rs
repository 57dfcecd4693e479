//! What a type asks for when it reads itself.

use serde::{
    Deserializer,
    de::{Unexpected, Visitor},
};

use super::{Reader, Whole};
use crate::codec::{failure::Failure, format::*, parts::Variant, run};

macro_rules! whole {
    ($($method:ident $visit:ident $type:ty)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            let tag = self.tag()?;
            // What does not fit goes to the visitor as it is, which then names it in its error.
            if let Some(number) = self.plus_of(tag)? {
                return match <$type>::try_from(number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => visitor.visit_u64(number),
                };
            }
            match self.whole_of(tag)? {
                Some(Whole::Minus(number)) => match <$type>::try_from(number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => visitor.visit_i64(number),
                },
                Some(Whole::LongPlus(number)) => match <$type>::try_from(number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => visitor.visit_u128(number),
                },
                Some(Whole::LongMinus(number)) => match <$type>::try_from(number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => visitor.visit_i128(number),
                },
                Some(Whole::Plus(_)) | None => self.any(tag, visitor),
            }
        }
    )*};
}

macro_rules! whatever_is_there {
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

    whole! {
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

    whatever_is_there! {
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
                match run::read_whole::<V>(kind, bytes) {
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
            // As in JSON, for a type that writes itself as a map of the variant to what it holds.
            MAP if self.peek() == Some(1) => {
                self.depth.enter_for::<V::Value>()?;
                self.count_of(2)?;
                let value = visitor.visit_enum(Variant { reader: self, name: None, owner, is_unit: false });
                self.close(value.is_ok(), true)?;
                value
            }
            _ => Err(serde::de::Error::invalid_type(Unexpected::Other("no variant"), &visitor)),
        }
    }

    /// Only a field that its struct does not know is read so where a field is expected.
    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if let Some(field) = self.field
            && field.left == self.rest.len()
        {
            return Err(Failure::new(format!(
                "field `{}` of `{}` is written and not read: it has `skip_deserializing`, or is renamed in one direction \
                 only",
                self.shapes.field(&field.fields, field.index),
                field.fields.owner
            )));
        }
        let tag = self.tag()?;
        self.any(tag, visitor)
    }

    /// As the serializer has it.
    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }
}
