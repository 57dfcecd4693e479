//! Bytes inside of another value, which serde visits one by one: a field that is a `Vec<u8>`, for example.
//!
//! On the wire they are the same, one by one or as a whole, so they are copied as a whole where it is certain what the
//! value does with them. That is so when a `Vec<u8>` or a `[u8]` offers its own elements, and when the visitor is the very
//! type that a `Vec<u8>` reads itself with. These types are compared without their lifetimes.
//!
//! One by one, a field of 1 MiB takes as long as thirty copies to write and fifteen to read; as a whole, as one.
#![allow(unsafe_code)]

use std::{any::TypeId, fmt, mem::ManuallyDrop};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
    forward_to_deserialize_any,
};

/// The bytes that these elements are. None: they are something else.
pub(super) fn bytes<I>(elements: &I) -> Option<&[u8]> {
    let own = typeid::of::<I>();
    if own == TypeId::of::<&'static Vec<u8>>() {
        // SAFETY: but for its lifetime `I` is a `&Vec<u8>`. That lifetime is longer than the one of `elements`, which is
        // the one that the answer has.
        let vector = unsafe { &*std::ptr::from_ref(elements).cast::<&Vec<u8>>() };
        return Some(vector);
    }
    if own == TypeId::of::<&'static [u8]>() {
        // SAFETY: as above.
        return Some(unsafe { *std::ptr::from_ref(elements).cast::<&[u8]>() });
    }
    None
}

/// Whether this visitor does with bytes what `Vec<u8>` does: keep them.
pub(super) fn keeps_bytes<'de, V: Visitor<'de>>() -> bool {
    typeid::of::<V::Value>() == TypeId::of::<Vec<u8>>()
        && Vec::<u8>::deserialize(Question).err() == Some(Answer::of::<V>())
}

/// The bytes as the value of a visitor that [keeps them](keeps_bytes).
pub(super) fn kept<'de, V: Visitor<'de>>(bytes: Vec<u8>) -> V::Value {
    assert!(typeid::of::<V::Value>() == TypeId::of::<Vec<u8>>());
    let bytes = ManuallyDrop::new(bytes);
    // SAFETY: `V::Value` is `Vec<u8>`, by the assertion: that type has no lifetime that could be another. The original is
    // not used and not dropped any more.
    unsafe { std::mem::transmute_copy::<Vec<u8>, V::Value>(&bytes) }
}

/// A visitor that takes bytes as a whole.
pub(super) struct Whole;

impl Visitor<'_> for Whole {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
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
