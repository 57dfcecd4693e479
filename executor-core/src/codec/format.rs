//! The byte layout of a value.
//!
//! Every value begins with one byte, its tag, which says what follows. So a value can be read without knowing its type,
//! as `#[serde(flatten)]`, `#[serde(untagged)]`, internally tagged enums and `serde_json::Value` require. Reading a
//! value as a type that does not match it is an error, and never yields another value.
//!
//! | tag | value |
//! |---|---|
//! | 0 to 127 | that number |
//! | `SHORT_SEQ` + n, up to 15 | n elements |
//! | `SHORT_STR` + n, up to 31 | n bytes of UTF-8 |
//! | `SHORT_MINUS` + n, up to 15 | the number -1 - n |
//! | `U8` to `I128`, `F32`, `F64`, `CHAR` | the number, little-endian; integers use the shortest form |
//! | `STR`, `BYTES` | a length, and that many bytes |
//! | `SEQ`, `MAP` | a count, and that many elements, or keys and values |
//! | `SEQ_OPEN`, `MAP_OPEN` | elements, or keys and values, up to `END` |
//! | `SEQ_SKEW`, `MAP_SKEW` | an announced count that turned out to be wrong; then as `SEQ_OPEN`, `MAP_OPEN` |
//! | `NUMBERS` | a [kind](super::numbers), a count, and the memory of that many numbers |
//! | `STRUCT` | the number of its [shape](super::shapes) in two bytes, and a value for each field |
//! | `VARIANT` | the number of the name of a unit variant |
//! | `VARIANT_OF` | the number of the name of a variant, and its content: one value, a sequence or a struct |
//! | `SOME` | the value in the option |
//!
//! Where [`HAS_ABSENT`] is set in the number of a shape, `ABSENT` stands for a field that was omitted.
//! The names of fields and variants follow the value; the last byte is [`NAMES`] or [`NO_NAMES`].
//!
//! Counts and lengths are LEB128. Every element takes at least one byte. So the reader rejects a count that is larger
//! than the number of bytes left, before it allocates anything.

pub(super) const SHORT_SEQ: u8 = 0x80;
pub(super) const SHORT_STR: u8 = 0x90;
pub(super) const SHORT_MINUS: u8 = 0xb0;
pub(super) const UNIT: u8 = 0xc0;
pub(super) const NONE: u8 = 0xc1;
pub(super) const SOME: u8 = 0xc2;
pub(super) const FALSE: u8 = 0xc3;
pub(super) const TRUE: u8 = 0xc4;
pub(super) const U8: u8 = 0xc5;
pub(super) const U16: u8 = 0xc6;
pub(super) const U32: u8 = 0xc7;
pub(super) const U64: u8 = 0xc8;
pub(super) const U128: u8 = 0xc9;
pub(super) const I8: u8 = 0xca;
pub(super) const I16: u8 = 0xcb;
pub(super) const I32: u8 = 0xcc;
pub(super) const I64: u8 = 0xcd;
pub(super) const I128: u8 = 0xce;
pub(super) const F32: u8 = 0xcf;
pub(super) const F64: u8 = 0xd0;
pub(super) const CHAR: u8 = 0xd1;
pub(super) const STR: u8 = 0xd2;
pub(super) const BYTES: u8 = 0xd3;
pub(super) const SEQ: u8 = 0xd4;
pub(super) const SEQ_OPEN: u8 = 0xd5;
pub(super) const SEQ_SKEW: u8 = 0xd6;
pub(super) const MAP: u8 = 0xd7;
pub(super) const MAP_OPEN: u8 = 0xd8;
pub(super) const MAP_SKEW: u8 = 0xd9;
pub(super) const NUMBERS: u8 = 0xda;
pub(super) const STRUCT: u8 = 0xdb;
pub(super) const VARIANT: u8 = 0xdc;
pub(super) const VARIANT_OF: u8 = 0xdd;
pub(super) const ABSENT: u8 = 0xde;
pub(super) const END: u8 = 0xff;

/// The last byte of a value without names.
pub(super) const NO_NAMES: u8 = 0;
/// The last byte of a value with names.
pub(super) const NAMES: u8 = 1;

/// Set in the number of a shape if one of the fields is absent.
pub(super) const HAS_ABSENT: u16 = 1 << 15;

/// The largest number that is stored in its tag.
pub(super) const SMALL: u8 = SHORT_SEQ - 1;
/// The maximum number of elements of a `SHORT_SEQ`.
pub(super) const FEW: usize = (SHORT_STR - SHORT_SEQ - 1) as usize;
/// The maximum number of bytes of a `SHORT_STR`.
pub(super) const SHORT: usize = (SHORT_MINUS - SHORT_STR - 1) as usize;
/// The lowest number that is stored in its tag.
pub(super) const SMALL_MINUS: i64 = -((UNIT - SHORT_MINUS) as i64);

/// Appends a count or a length.
#[inline]
pub(super) fn write_count(count: usize, into: &mut Vec<u8>) {
    let mut rest = count;
    while rest >= 0x80 {
        into.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

/// Splits off a count or a length. Returns `None` if the bytes do not begin with one, or if it does not fit a `usize`.
#[inline]
pub(super) fn split_count(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 { Some((first.into(), rest)) } else { split_long_count(bytes) }
}

fn split_long_count(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut count = 0u64;
    for (index, &byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * index as u32;
        if shift == 63 && bits > 1 {
            return None;
        }
        count |= bits << shift;
        if byte < 0x80 {
            return Some((usize::try_from(count).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_round_trips_and_leaves_the_bytes_after_it() {
        for count in [0, 1, 127, 128, 300, 1 << 21, u32::MAX as usize, usize::MAX] {
            let mut bytes = Vec::new();
            write_count(count, &mut bytes);
            bytes.push(7);
            assert_eq!(split_count(&bytes), Some((count, &[7][..])));
            bytes.truncate(bytes.len() - 2);
            assert_eq!(split_count(&bytes), None);
        }
        assert_eq!(split_count(&[0xff; 20]), None);
    }
}
