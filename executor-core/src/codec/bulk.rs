//! The direct way for bytes, text and plain numbers: they are copied as they lie in memory, and bytes and text that
//! nobody needs any more are not even copied.
//!
//! A serde format visits a vector number by number, which costs twenty times the copy. A number by itself is as long as
//! it is in memory: what a short form would spare costs more than it is worth where chunks of a million of them travel.
//! Which way a type goes is decided by the type alone, so the compiler leaves one of them in.

use std::any::Any;

/// Numbers in a fixed number of bytes, the lowest first.
trait Number<const SIZE: usize>: bytemuck::NoUninit {
    fn to_bytes(self) -> [u8; SIZE];
    fn from_bytes(bytes: [u8; SIZE]) -> Self;
}

fn write<N: Number<SIZE>, const SIZE: usize>(numbers: &[N], into: &mut Vec<u8>) {
    // And the byte that closes an outcome, which would move all of it otherwise.
    into.reserve(size_of_val(numbers) + 1);
    if cfg!(target_endian = "little") {
        into.extend_from_slice(bytemuck::cast_slice(numbers));
    } else {
        numbers.iter().for_each(|number| into.extend_from_slice(&number.to_bytes()));
    }
}

/// None: the bytes are no whole number of numbers.
fn read<N: Number<SIZE>, const SIZE: usize>(bytes: &[u8]) -> Option<Vec<N>> {
    let (numbers, rest) = bytes.as_chunks::<SIZE>();
    // On a machine that has the lowest byte first too, this is one copy.
    rest.is_empty().then(|| numbers.iter().map(|bytes| N::from_bytes(*bytes)).collect())
}

/// From this size on, bytes are moved into a vector even if that has room for them: letting its memory go costs less
/// than copying that many.
const WORTH_MOVING: usize = 4096;

/// Makes `into` what the value consists of, and leaves that empty, if this spares a copy. False: nothing happened.
#[inline(always)]
pub(super) fn encode_taking(value: &mut dyn Any, into: &mut Vec<u8>) -> bool {
    let is_spared = |length, capacity| {
        let has_room = into.capacity() >= length && length < WORTH_MOVING;
        into.is_empty() && !has_room && !is_wasteful(length, capacity)
    };
    if let Some(bytes) = value.downcast_mut::<Vec<u8>>()
        && is_spared(bytes.len(), bytes.capacity())
    {
        *into = std::mem::take(bytes);
        return true;
    }
    if let Some(text) = value.downcast_mut::<String>()
        && is_spared(text.len(), text.capacity())
    {
        *into = std::mem::take(text).into_bytes();
        return true;
    }
    false
}

/// Makes the value of the vector itself, and leaves that empty, if it is bytes or text; `value` is as in [`decode`].
/// Left empty: these bytes are none, or it would not do.
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

/// Whether somebody who keeps these bytes would keep far more memory than they need.
fn is_wasteful(length: usize, capacity: usize) -> bool {
    capacity / 2 > length + 64
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

        /// Writes a value that has a direct way. False: it has none.
        ///
        /// Inlined, so that it is where the type is known that the types are compared.
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

        /// Reads a value that has a direct way into `value`, which is the `Option<T>` of the `T` that is wanted. False:
        /// it has none. Left empty: these bytes are none.
        ///
        /// Inlined as `encode` is.
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
