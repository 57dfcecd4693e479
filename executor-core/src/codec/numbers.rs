//! Vectors of numbers inside another value, such as a field of type `Vec<u8>` or `Vec<f64>`.
//!
//! Serde visits them one by one, which is many times slower than a copy. They are copied as one block where the result
//! is certain to be the same: when a vector or a slice of numbers serializes its elements, and when the visitor is the
//! one that deserializes `Vec<T>`. The types are compared without their lifetimes.
#![allow(unsafe_code)]

use std::{any::TypeId, fmt, mem::ManuallyDrop};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IntoDeserializer, Visitor},
    forward_to_deserialize_any,
};

use super::failure::Failure;
use crate::chunks::chunks;

/// Returns the elements as a slice of `T`, if `I` is a reference to a vector or a slice of `T`.
fn slice<T: 'static, I>(elements: &I) -> Option<&[T]> {
    let own = typeid::of::<I>();
    if own == TypeId::of::<&'static Vec<T>>() {
        // SAFETY: `I` is `&Vec<T>` except for its lifetime. That lifetime is longer than the lifetime of `elements`,
        // which is the lifetime of the result.
        let vector = unsafe { &*std::ptr::from_ref(elements).cast::<&Vec<T>>() };
        return Some(vector);
    }
    if own == TypeId::of::<&'static [T]>() {
        // SAFETY: `I` is `&[T]` except for its lifetime, which is longer than the lifetime of the result, as above.
        return Some(unsafe { *std::ptr::from_ref(elements).cast::<&[T]>() });
    }
    None
}

/// Returns whether this is the visitor of `Vec<T>`, which only collects the numbers.
fn is_visitor_of_vec<'de, T: Deserialize<'de> + 'static, V: Visitor<'de>>() -> bool {
    typeid::of::<V::Value>() == TypeId::of::<Vec<T>>()
        && Vec::<T>::deserialize(VisitorProbe).err() == Some(VisitorType::of::<V>())
}

/// Returns the numbers as the value of the visitor of `Vec<T>`.
fn into_value<'de, T: 'static, V: Visitor<'de>>(numbers: Vec<T>) -> V::Value {
    assert!(typeid::of::<V::Value>() == TypeId::of::<Vec<T>>());
    let numbers = ManuallyDrop::new(numbers);
    // SAFETY: the assertion shows that `V::Value` is `Vec<T>`, a type without a lifetime that could differ. The
    // original is neither used nor dropped afterwards.
    unsafe { std::mem::transmute_copy::<Vec<T>, V::Value>(&numbers) }
}

macro_rules! kinds {
    ($($kind:literal: $type:ty)*) => {
        /// Returns the kind, the count and the memory of these elements, if they are a vector or a slice of numbers.
        #[inline]
        pub(super) fn of<I>(elements: &I) -> Option<(u8, usize, &[u8])> {
            if cfg!(target_endian = "little") {
                $(if let Some(numbers) = slice::<$type, I>(elements) {
                    return Some(($kind, numbers.len(), bytemuck::cast_slice(numbers)));
                })*
            }
            None
        }

        /// Returns how many bytes a number of this kind takes, or `None` if there is no such kind.
        pub(super) fn size(kind: u8) -> Option<usize> {
            match kind {
                $($kind => Some(size_of::<$type>()),)*
                _ => None,
            }
        }

        /// Returns the numbers as the value of the visitor, or `None` if it is not the visitor of a vector of them.
        #[inline]
        pub(super) fn read_all<'de, V: Visitor<'de>>(kind: u8, bytes: &[u8]) -> Option<V::Value> {
            // Bytes have a case of their own because it is one copy even in a debug build.
            if kind == 0 && is_visitor_of_vec::<u8, V>() {
                return Some(into_value::<u8, V>(bytes.to_vec()));
            }
            $(if kind == $kind && is_visitor_of_vec::<$type, V>() {
                let (numbers, _) = chunks(bytes);
                // On a little-endian machine this compiles to one copy.
                let numbers = numbers.map(<$type>::from_le_bytes).collect();
                return Some(into_value::<$type, V>(numbers));
            })*
            None
        }

        /// Reads the first number and removes it from `bytes`.
        pub(super) fn read_one<'de, T: DeserializeSeed<'de>>(
            kind: u8,
            bytes: &mut &[u8],
            seed: T,
        ) -> Result<T::Value, Failure> {
            match kind {
                $($kind => {
                    let Some((number, rest)) = bytes.split_first_chunk() else { return Err(Failure::short()) };
                    *bytes = rest;
                    seed.deserialize(<$type>::from_le_bytes(*number).into_deserializer())
                })*
                _ => Err(Failure::damaged()),
            }
        }
    };
}

kinds! {
    0: u8
    1: u16
    2: u32
    3: u64
    4: usize
    5: i8
    6: i16
    7: i32
    8: i64
    9: isize
    10: f32
    11: f64
}

/// A deserializer that reads nothing. Its error contains the visitor that was asked to read a sequence.
struct VisitorProbe;

/// The type of the visitor, or `None` if something other than a sequence was asked for.
#[derive(Debug, PartialEq)]
struct VisitorType(Option<TypeId>);

impl VisitorType {
    fn of<V>() -> VisitorType {
        VisitorType(Some(typeid::of::<V>()))
    }
}

impl<'de> Deserializer<'de> for VisitorProbe {
    type Error = VisitorType;

    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, VisitorType> {
        Err(VisitorType::of::<V>())
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, VisitorType> {
        Err(VisitorType(None))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl de::Error for VisitorType {
    fn custom<T: fmt::Display>(_: T) -> VisitorType {
        VisitorType(None)
    }
}

impl fmt::Display for VisitorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type of a visitor")
    }
}

impl std::error::Error for VisitorType {}
