//! Numbers inside of another value, which serde visits one by one: a field that is a `Vec<u8>` or a `Vec<f64>`, for
//! example.
//!
//! They are copied as a whole where it is certain what the value does with them. That is so when a vector or a slice
//! of numbers offers its own elements, and when the visitor is the very type that such a vector reads itself with.
//! These types are compared without their lifetimes.
//!
//! One by one, a field of 1 MiB takes as long as thirty copies to write and fifteen to read; as a whole, as one.
#![allow(unsafe_code)]

use std::{any::TypeId, fmt, mem::ManuallyDrop};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IntoDeserializer, Visitor},
    forward_to_deserialize_any,
};

use super::failure::Failure;

/// The elements as type `T`, if that is what `elements` are, as a vector or a slice.
fn slice<T: 'static, I>(elements: &I) -> Option<&[T]> {
    let own = typeid::of::<I>();
    if own == TypeId::of::<&'static Vec<T>>() {
        // SAFETY: but for its lifetime `I` is a `&Vec<T>`. That lifetime is longer than the one of `elements`, which is
        // the one that the result has.
        let vector = unsafe { &*std::ptr::from_ref(elements).cast::<&Vec<T>>() };
        return Some(vector);
    }
    if own == TypeId::of::<&'static [T]>() {
        // SAFETY: as above.
        return Some(unsafe { *std::ptr::from_ref(elements).cast::<&[T]>() });
    }
    None
}

/// Whether this visitor does with numbers what `Vec<T>` does: keep them.
fn keeps<'de, T: Deserialize<'de> + 'static, V: Visitor<'de>>() -> bool {
    typeid::of::<V::Value>() == TypeId::of::<Vec<T>>()
        && Vec::<T>::deserialize(Question).err() == Some(Answer::of::<V>())
}

/// The numbers as the value of a visitor that keeps them.
fn kept<'de, T: 'static, V: Visitor<'de>>(numbers: Vec<T>) -> V::Value {
    assert!(typeid::of::<V::Value>() == TypeId::of::<Vec<T>>());
    let numbers = ManuallyDrop::new(numbers);
    // SAFETY: `V::Value` is `Vec<T>`, by the assertion: that type has no lifetime that could be another. The original
    // is not used and not dropped any more.
    unsafe { std::mem::transmute_copy::<Vec<T>, V::Value>(&numbers) }
}

macro_rules! kinds {
    ($($kind:literal: $type:ty)*) => {
        /// The kind, the count and the memory of these elements, if they are plain numbers.
        #[inline]
        pub(super) fn numbers<I>(elements: &I) -> Option<(u8, usize, &[u8])> {
            if cfg!(target_endian = "little") {
                $(if let Some(numbers) = slice::<$type, I>(elements) {
                    return Some(($kind, numbers.len(), bytemuck::cast_slice(numbers)));
                })*
            }
            None
        }

        /// How many bytes a number of this kind takes.
        pub(super) fn size(kind: u8) -> Option<usize> {
            match kind {
                $($kind => Some(size_of::<$type>()),)*
                _ => None,
            }
        }

        /// The value of a visitor that keeps numbers of this kind. `None`: the visitor does something else.
        #[inline]
        pub(super) fn read_whole<'de, V: Visitor<'de>>(kind: u8, bytes: &[u8]) -> Option<V::Value> {
            // Apart from the others, because this is one copy in a debug build too.
            if kind == 0 && keeps::<u8, V>() {
                return Some(kept::<u8, V>(bytes.to_vec()));
            }
            $(if kind == $kind && keeps::<$type, V>() {
                let (numbers, _) = bytes.as_chunks();
                // On a machine that has the lowest byte first too, this is one copy.
                return Some(kept::<$type, V>(numbers.iter().map(|bytes| <$type>::from_le_bytes(*bytes)).collect()));
            })*
            None
        }

        /// Reads the first number, and forgets it.
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

/// A deserializer that reads nothing: its error says which visitor would have read a sequence.
struct Question;

#[derive(Debug, PartialEq)]
struct Answer(Option<TypeId>);

impl Answer {
    fn of<V>() -> Answer {
        Answer(Some(typeid::of::<V>()))
    }
}

impl<'de> Deserializer<'de> for Question {
    type Error = Answer;

    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer::of::<V>())
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(None))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl de::Error for Answer {
    fn custom<T: fmt::Display>(_: T) -> Answer {
        Answer(None)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a visitor was asked for")
    }
}

impl std::error::Error for Answer {}
