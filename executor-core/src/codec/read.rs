//! Stands between a value and the deserializer that it reads itself from, and changes nothing but the type of the error
//! (see [`words`](super::words)), and the pace of bytes (see [`run`](super::run)).

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor},
};

use super::{
    run::{self, Whole},
    words::Kept,
};

/// Whatever takes part in reading: a deserializer, a visitor, a seed, or the access to the parts of a compound value.
pub(super) struct Read<T>(pub(super) T);

macro_rules! deserializing {
    ($($method:ident($($name:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            self.0.$method($($name,)* Read(visitor)).map_err(Kept)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Read<D> {
    type Error = Kept<D::Error>;

    deserializing! {
        deserialize_any()
        deserialize_bool()
        deserialize_i8()
        deserialize_i16()
        deserialize_i32()
        deserialize_i64()
        deserialize_i128()
        deserialize_u8()
        deserialize_u16()
        deserialize_u32()
        deserialize_u64()
        deserialize_u128()
        deserialize_f32()
        deserialize_f64()
        deserialize_char()
        deserialize_str()
        deserialize_string()
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_option()
        deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
        deserialize_ignored_any()
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if run::keeps_bytes::<V>() {
            return self.0.deserialize_bytes(Whole).map(run::kept::<V>).map_err(Kept);
        }
        self.0.deserialize_seq(Read(visitor)).map_err(Kept)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! visiting_values {
    ($($method:ident($($value:ident: $type:ty)?))*) => {$(
        #[inline]
        fn $method<E: de::Error>(self, $($value: $type)?) -> Result<V::Value, E> {
            self.0.$method::<Kept<E>>($($value)?).map_err(|kept| kept.0)
        }
    )*};
}

macro_rules! visiting_parts {
    ($($method:ident: $trait:ident)*) => {$(
        #[inline]
        fn $method<A: $trait<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
            self.0.$method(Read(parts)).map_err(|kept| kept.0)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Read<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    visiting_values! {
        visit_bool(value: bool)
        visit_i8(value: i8)
        visit_i16(value: i16)
        visit_i32(value: i32)
        visit_i64(value: i64)
        visit_i128(value: i128)
        visit_u8(value: u8)
        visit_u16(value: u16)
        visit_u32(value: u32)
        visit_u64(value: u64)
        visit_u128(value: u128)
        visit_f32(value: f32)
        visit_f64(value: f64)
        visit_char(value: char)
        visit_str(value: &str)
        visit_borrowed_str(value: &'de str)
        visit_string(value: String)
        visit_bytes(value: &[u8])
        visit_borrowed_bytes(value: &'de [u8])
        visit_byte_buf(value: Vec<u8>)
        visit_none()
        visit_unit()
    }

    visiting_parts! {
        visit_some: Deserializer
        visit_newtype_struct: Deserializer
        visit_seq: SeqAccess
        visit_map: MapAccess
        visit_enum: EnumAccess
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Read<T> {
    type Value = T::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        self.0.deserialize(Read(deserializer)).map_err(|kept| kept.0)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Read<A> {
    type Error = Kept<A::Error>;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Self::Error> {
        self.0.next_element_seed(Read(seed)).map_err(Kept)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Read<A> {
    type Error = Kept<A::Error>;

    #[inline]
    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Self::Error> {
        self.0.next_key_seed(Read(seed)).map_err(Kept)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Self::Error> {
        self.0.next_value_seed(Read(seed)).map_err(Kept)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Read<A> {
    type Error = Kept<A::Error>;
    type Variant = Read<A::Variant>;

    #[inline]
    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), Self::Error> {
        let (value, variant) = self.0.variant_seed(Read(seed)).map_err(Kept)?;
        Ok((value, Read(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Read<A> {
    type Error = Kept<A::Error>;

    #[inline]
    fn unit_variant(self) -> Result<(), Self::Error> {
        self.0.unit_variant().map_err(Kept)
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Self::Error> {
        self.0.newtype_variant_seed(Read(seed)).map_err(Kept)
    }

    deserializing! {
        tuple_variant(length: usize)
        struct_variant(fields: &'static [&'static str])
    }
}
