//! Stands between a value and the serializer that it writes itself to, and changes nothing but the type of the error
//! (see [`words`](super::words)), and the pace of bytes (see [`run`](super::run)).

use std::fmt::Display;

use serde::{
    Serialize, Serializer,
    ser::{self, SerializeSeq},
};

use super::{run, words::Kept};

/// A serializer, or what it gave out for the parts of a compound value.
pub(super) struct Write<S>(pub(super) S);

/// A value inside of another one: the outer serializer hands it itself, so it has to be wrapped again.
struct Inner<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Serialize for Inner<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Write(serializer)).map_err(|kept| kept.0)
    }
}

macro_rules! plain {
    ($($method:ident($($name:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $method(self, $($name: $type),*) -> Result<S::Ok, Self::Error> {
            self.0.$method($($name),*).map_err(Kept)
        }
    )*};
}

macro_rules! wrapping {
    ($($method:ident($($name:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $method<T: Serialize + ?Sized>(self, $($name: $type,)* value: &T) -> Result<S::Ok, Self::Error> {
            self.0.$method($($name,)* &Inner(value)).map_err(Kept)
        }
    )*};
}

macro_rules! compound {
    ($($method:ident($($name:ident: $type:ty),*) -> $parts:ident)*) => {$(
        #[inline]
        fn $method(self, $($name: $type),*) -> Result<Write<S::$parts>, Self::Error> {
            self.0.$method($($name),*).map(Write).map_err(Kept)
        }
    )*};
}

impl<S: Serializer> Serializer for Write<S> {
    type Ok = S::Ok;
    type Error = Kept<S::Error>;
    type SerializeSeq = Write<S::SerializeSeq>;
    type SerializeTuple = Write<S::SerializeTuple>;
    type SerializeTupleStruct = Write<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Write<S::SerializeTupleVariant>;
    type SerializeMap = Write<S::SerializeMap>;
    type SerializeStruct = Write<S::SerializeStruct>;
    type SerializeStructVariant = Write<S::SerializeStructVariant>;

    plain! {
        serialize_bool(value: bool)
        serialize_i8(value: i8)
        serialize_i16(value: i16)
        serialize_i32(value: i32)
        serialize_i64(value: i64)
        serialize_i128(value: i128)
        serialize_u8(value: u8)
        serialize_u16(value: u16)
        serialize_u32(value: u32)
        serialize_u64(value: u64)
        serialize_u128(value: u128)
        serialize_f32(value: f32)
        serialize_f64(value: f64)
        serialize_char(value: char)
        serialize_str(value: &str)
        serialize_bytes(value: &[u8])
        serialize_none()
        serialize_unit()
        serialize_unit_struct(name: &'static str)
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str)
    }

    wrapping! {
        serialize_some()
        serialize_newtype_struct(name: &'static str)
        serialize_newtype_variant(name: &'static str, index: u32, variant: &'static str)
    }

    compound! {
        serialize_seq(length: Option<usize>) -> SerializeSeq
        serialize_tuple(length: usize) -> SerializeTuple
        serialize_tuple_struct(name: &'static str, length: usize) -> SerializeTupleStruct
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, length: usize) -> SerializeTupleVariant
        serialize_map(length: Option<usize>) -> SerializeMap
        serialize_struct(name: &'static str, length: usize) -> SerializeStruct
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, length: usize) -> SerializeStructVariant
    }

    #[inline]
    fn collect_seq<I>(self, elements: I) -> Result<S::Ok, Self::Error>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        if let Some(bytes) = run::bytes(&elements) {
            return self.0.serialize_bytes(bytes).map_err(Kept);
        }
        let mut elements = elements.into_iter();
        let length = match elements.size_hint() {
            (least, Some(most)) if least == most => Some(least),
            _ => None,
        };
        let mut parts = self.serialize_seq(length)?;
        elements.try_for_each(|element| parts.serialize_element(&element))?;
        parts.end()
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, Self::Error> {
        self.0.collect_str(value).map_err(Kept)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! parts {
    ($($trait:ident { $($method:ident($($name:ident: $type:ty)?))* })*) => {$(
        impl<S: ser::$trait> ser::$trait for Write<S> {
            type Ok = S::Ok;
            type Error = Kept<S::Error>;

            $(#[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Result<(), Self::Error> {
                self.0.$method($($name,)? &Inner(value)).map_err(Kept)
            })*

            #[inline]
            fn end(self) -> Result<S::Ok, Self::Error> {
                self.0.end().map_err(Kept)
            }
        }
    )*};
}

parts! {
    SerializeSeq { serialize_element() }
    SerializeTuple { serialize_element() }
    SerializeTupleStruct { serialize_field() }
    SerializeTupleVariant { serialize_field() }
    SerializeMap { serialize_key() serialize_value() }
    SerializeStruct { serialize_field(key: &'static str) }
    SerializeStructVariant { serialize_field(key: &'static str) }
}
