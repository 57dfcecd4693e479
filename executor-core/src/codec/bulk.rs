//! The direct encoding of bytes, text and numbers: their memory is copied, and bytes, text and vectors of numbers that
//! the caller gives up are moved.
//!
//! Serde visits a vector number by number, which is much slower than one copy. A single number takes as many bytes as
//! in memory, because encoding it in fewer bytes costs more time than it saves. The type alone decides whether a value
//! has a direct encoding, so the compiler removes the other branch.

use std::any::{Any, TypeId};

use super::words::{self, Words};
use crate::chunks::chunks;

/// A number that is encoded in a fixed number of bytes, in little-endian order.
trait Number<const SIZE: usize>: bytemuck::Pod {
    fn to_bytes(self) -> [u8; SIZE];
    fn from_bytes(bytes: [u8; SIZE]) -> Self;
}

fn write<N: Number<SIZE>, const SIZE: usize>(numbers: &[N], into: &mut Vec<u8>) {
    // One more byte, because appending the byte that ends an outcome must not reallocate.
    into.reserve(size_of_val(numbers) + 1);
    if cfg!(target_endian = "little") {
        into.extend_from_slice(bytemuck::cast_slice(numbers));
    } else {
        numbers.iter().for_each(|number| into.extend_from_slice(&number.to_bytes()));
    }
}

/// Decodes numbers. Returns `None` if the bytes are not a whole number of numbers.
fn read<N: Number<SIZE>, const SIZE: usize>(bytes: &[u8]) -> Option<Vec<N>> {
    let (numbers, rest) = chunks::<SIZE>(bytes);
    // On a little-endian machine this compiles to one copy.
    rest.is_empty().then(|| numbers.map(N::from_bytes).collect())
}

/// Bytes of at least this size are moved even if the target has capacity for them: freeing the target's memory costs
/// less than copying that many bytes.
const WORTH_MOVING: usize = 4096;

/// Moves the memory of bytes or text into `into` if that saves a copy. Returns whether it did; the value is empty then.
#[inline(always)]
pub(super) fn encode_taking(value: &mut dyn Any, into: &mut Vec<u8>) -> bool {
    let is_worth_it = |length, capacity| {
        let has_capacity = into.capacity() >= length && length < WORTH_MOVING;
        into.is_empty() && !has_capacity && !is_wasteful(length, capacity)
    };
    if let Some(bytes) = value.downcast_mut::<Vec<u8>>() {
        if is_worth_it(bytes.len(), bytes.capacity()) {
            *into = std::mem::take(bytes);
            return true;
        }
    }
    if let Some(text) = value.downcast_mut::<String>() {
        if is_worth_it(text.len(), text.capacity()) {
            *into = std::mem::take(text).into_bytes();
            return true;
        }
    }
    encode_in_place(value, into)
}

/// Moves the memory of numbers if the caller of the encoder [accepts](words::accept_words) that instead of bytes in
/// `into`, and it saves a copy. Returns whether it did; the vector is empty then.
fn move_numbers<N: Number<SIZE>, const SIZE: usize>(numbers: &mut Vec<N>, into: &Vec<u8>) -> bool {
    let (length, capacity) = (SIZE * numbers.len(), SIZE * numbers.capacity());
    let is_worth_it = SIZE > 1 && cfg!(target_endian = "little") && length >= WORTH_MOVING && into.is_empty();
    if !is_worth_it || is_wasteful(length, capacity) || !words::are_accepted(into) {
        return false;
    }
    let Some(words) = Words::of(std::mem::take(numbers)) else { return false };
    let Some(returned) = words::hand_over(words) else { return true };
    *numbers = returned.into_numbers().unwrap_or_default();
    false
}

/// Turns words into numbers, without a copy. Returns the words if they are not such numbers, or would waste memory.
fn numbers_of<N: Number<SIZE>, const SIZE: usize>(words: Words, numbers: &mut Option<Vec<N>>) -> Option<Words> {
    if is_wasteful(words.len(), words.allocated()) {
        return Some(words);
    }
    match words.into_numbers() {
        Ok(read) => *numbers = Some(read),
        Err(words) => return Some(words),
    }
    None
}

/// Turns the vector itself into the value if that is bytes or text; the vector is empty then. `value` is as in
/// [`decode`]. It stays `None` if the value is of another type, is not valid UTF-8, or would waste memory.
#[inline(always)]
pub(super) fn decode_taking(bytes: &mut Vec<u8>, value: &mut dyn Any) {
    if is_wasteful(bytes.len(), bytes.capacity()) {
        return;
    }
    if let Some(text) = value.downcast_mut::<Option<String>>() {
        match String::from_utf8(std::mem::take(bytes)) {
            Ok(valid) => *text = Some(valid),
            Err(error) => *bytes = error.into_bytes(),
        }
    } else if let Some(value) = value.downcast_mut::<Option<Vec<u8>>>() {
        *value = Some(std::mem::take(bytes));
    }
}

/// Returns whether a vector of this length and capacity holds far more memory than it needs.
fn is_wasteful(length: usize, capacity: usize) -> bool {
    capacity / 2 > length + 64
}

/// Returns the bytes of numbers if these are their encoding.
fn as_bytes<N: Number<SIZE>, const SIZE: usize>(numbers: &[N]) -> Option<&[u8]> {
    (SIZE == 1 || cfg!(target_endian = "little")).then(|| bytemuck::cast_slice(numbers))
}

macro_rules! numbers {
    ($($type:ty)*) => {
        $(impl Number<{ size_of::<$type>() }> for $type {
            fn to_bytes(self) -> [u8; size_of::<$type>()] {
                self.to_le_bytes()
            }
            fn from_bytes(bytes: [u8; size_of::<$type>()]) -> $type {
                <$type>::from_le_bytes(bytes)
            }
        })*

        /// Appends a value that has a direct encoding. Returns `false` if it has none.
        ///
        /// It is inlined so that the type is known where the types are compared.
        #[inline(always)]
        pub(super) fn encode(value: &dyn Any, into: &mut Vec<u8>) -> bool {
            if let Some(text) = value.downcast_ref::<String>() {
                into.extend_from_slice(text.as_bytes());
                return true;
            }
            $(if let Some(number) = value.downcast_ref::<$type>() {
                into.extend_from_slice(&number.to_bytes());
                return true;
            }
            if let Some(numbers) = value.downcast_ref::<Vec<$type>>() {
                write(numbers, into);
                return true;
            })*
            false
        }

        /// Returns the bytes of text or of a vector of numbers if these are its encoding.
        #[inline(always)]
        pub(super) fn borrow(value: &dyn Any) -> Option<&[u8]> {
            if let Some(text) = value.downcast_ref::<String>() {
                return Some(text.as_bytes());
            }
            $(if let Some(numbers) = value.downcast_ref::<Vec<$type>>() {
                return as_bytes(numbers);
            })*
            None
        }

        /// Moves the memory of a vector of numbers. See [`move_numbers`].
        #[inline(always)]
        fn encode_in_place(value: &mut dyn Any, into: &Vec<u8>) -> bool {
            $(if let Some(numbers) = value.downcast_mut::<Vec<$type>>() {
                return move_numbers(numbers, into);
            })*
            false
        }

        /// Turns words into the value if that is a vector of numbers of their size. Returns them otherwise. `value` is
        /// as in [`decode`].
        #[inline(always)]
        pub(super) fn decode_words(words: Words, value: &mut dyn Any) -> Option<Words> {
            $(if let Some(numbers) = value.downcast_mut::<Option<Vec<$type>>>() {
                return numbers_of(words, numbers);
            })*
            Some(words)
        }

        /// Returns the encoding of a number at the start of an array, and its length.
        #[inline(always)]
        pub(super) fn encode_number(value: &dyn Any) -> Option<([u8; 16], usize)> {
            $(if let Some(number) = value.downcast_ref::<$type>() {
                let mut bytes = [0; 16];
                bytes[..size_of::<$type>()].copy_from_slice(&number.to_bytes());
                return Some((bytes, size_of::<$type>()));
            })*
            None
        }

        /// Returns the length of the encoding if this is a number.
        #[inline(always)]
        pub(super) fn number_size<T: 'static>() -> Option<usize> {
            $(if TypeId::of::<T>() == TypeId::of::<$type>() {
                return Some(size_of::<$type>());
            })*
            None
        }

        /// Returns the size of the numbers if this is a vector of numbers that can be received as words.
        #[inline(always)]
        pub(super) fn word_size<T: 'static>() -> Option<usize> {
            $(if size_of::<$type>() > 1 && TypeId::of::<T>() == TypeId::of::<Vec<$type>>() {
                return cfg!(target_endian = "little").then_some(size_of::<$type>());
            })*
            None
        }

        /// Decodes a value that has a direct encoding into `value`, which is an `Option<T>` of the wanted type. Returns
        /// `false` if the type has none. `value` stays `None` if the bytes are not such a value.
        ///
        /// It is inlined for the same reason as `encode`.
        #[inline(always)]
        pub(super) fn decode(bytes: &[u8], value: &mut dyn Any) -> bool {
            if let Some(text) = value.downcast_mut::<Option<String>>() {
                *text = String::from_utf8(bytes.to_vec()).ok();
                return true;
            }
            $(if let Some(number) = value.downcast_mut::<Option<$type>>() {
                *number = bytes.try_into().ok().map(<$type>::from_bytes);
                return true;
            }
            if let Some(numbers) = value.downcast_mut::<Option<Vec<$type>>>() {
                *numbers = read(bytes);
                return true;
            })*
            false
        }
    };
}

numbers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }
