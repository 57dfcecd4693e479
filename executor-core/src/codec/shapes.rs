//! The names of fields and variants, which decide where a value belongs.
//!
//! A field that is left out, renamed or moved can so never become another one. The names of a struct are its shape.
//! Each shape and each variant is written once for each value that travels, behind the value, in the order of their
//! numbers:
//!
//! ```text
//! value | names | the mark (8 bytes) | length of the names (4 bytes) | 1
//! value | 0                                       if there are no names and no mark
//!
//! names: count of shapes | shapes | count of variants | variants
//! shape: length of the rest | name of the type | count of fields | names of fields
//! variant, name: length | text
//! ```
//!
//! Counts and lengths are LEB128. The mark is a number made of all names, and of what else may decide whether the
//! value is the same when it is read; see [`proven`](super::proven).
//!
//! What a thread has learned about the shapes that it writes is [kept](Written::take) from value to value.

mod known;
mod written;

pub(super) use self::{
    known::{Known, KnownFields, ReaderId},
    written::{Written, finish},
};

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes a name in by its text, which is the same in every process.
fn mix_text(hash: u64, text: &str) -> u64 {
    let mut hash = hash ^ text.len() as u64;
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    for word in words.iter().chain([&last]) {
        hash = (hash.rotate_left(29) ^ u64::from_le_bytes(*word)).wrapping_mul(SPREAD);
    }
    hash
}

/// What else may decide whether a value is the same when it is read, as one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes(u64);

impl Notes {
    /// There is a map whose length is not known: serde writes flattened fields into one.
    #[inline]
    pub(super) fn open_map(&mut self) {
        self.0 |= 1;
    }

    /// There is a number that serde cannot buffer.
    #[inline]
    pub(super) fn wide(&mut self) {
        self.0 |= 2;
    }

    /// A field has no value.
    #[inline]
    pub(super) fn absent(&mut self, kind: &'static str, name: &'static str) {
        self.0 |= 1 << (mix_text(mix_text(0, kind), name) >> 58);
    }

    /// A struct without names of fields has so many of them.
    #[inline]
    pub(super) fn tuple(&mut self, name: &'static str, count: usize) {
        self.0 |= 1 << (mix_text(count as u64, name) >> 58);
    }
}

/// What tells values apart whose names or notes are different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

impl Mark {
    fn new(hash: u64, varies: bool) -> Mark {
        Mark(hash << 2 | u64::from(varies) << 1 | 1)
    }

    /// Whether every value of a type without this mark is read as it was written.
    #[inline]
    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether the length of the value depends on the order in which its variants are written.
    pub(super) fn varies(self) -> bool {
        self.0 & 2 != 0
    }

    #[inline]
    pub(super) fn number(self) -> u64 {
        self.0
    }
}

const NO_NAMES: u8 = 0;
const NAMES: u8 = 1;

#[cfg(test)]
mod tests;
