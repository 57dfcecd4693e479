//! The mark of a value: a hash of everything that may decide whether it survives a round trip.

use crate::chunks::chunks;

/// A multiplier that spreads bits.
pub(super) const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes a name into a hash by its text, so that the hash is the same in every process.
pub(super) fn mix_text(hash: u64, text: &str) -> u64 {
    let mut hash = hash ^ text.len() as u64;
    let (words, rest) = chunks::<8>(text.as_bytes());
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    for word in words.chain([last]) {
        hash = (hash.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(SPREAD);
    }
    hash
}

/// Properties of a value, beside its names, that may decide whether it survives a round trip. Each is one bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::codec) struct Notes(u64);

impl Notes {
    /// Notes a map whose length is not known: serde writes flattened fields as one.
    #[inline]
    pub(in crate::codec) fn open_map(&mut self) {
        self.0 |= 1;
    }

    /// Notes a number that serde cannot buffer.
    #[inline]
    pub(in crate::codec) fn wide(&mut self) {
        self.0 |= 2;
    }

    /// Notes a field without a value.
    #[inline]
    pub(in crate::codec) fn absent(&mut self, kind: &'static str, name: &'static str) {
        self.0 |= 1 << (mix_text(mix_text(0, kind), name) >> 58);
    }

    /// Notes the number of fields of a tuple struct or variant.
    #[inline]
    pub(in crate::codec) fn tuple(&mut self, name: &'static str, count: usize) {
        self.0 |= 1 << (mix_text(count as u64, name) >> 58);
    }

    #[inline]
    pub(super) fn bits(self) -> u64 {
        self.0
    }
}

/// A hash of the names and the notes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

impl Mark {
    /// The mark of a value without names or notes.
    pub(super) const NONE: Mark = Mark(0);

    #[inline]
    pub(super) fn new(hash: u64, varies: bool) -> Mark {
        Mark(hash << 2 | u64::from(varies) << 1 | 1)
    }

    /// Returns whether there is nothing to verify, because a value without names and notes survives every round trip.
    #[inline]
    pub(in crate::codec) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Returns whether the length of the encoded value depends on the order in which its variants are written.
    pub(in crate::codec) fn varies(self) -> bool {
        self.0 & 2 != 0
    }

    #[inline]
    pub(super) fn from_number(number: u64) -> Mark {
        Mark(number)
    }

    #[inline]
    pub(in crate::codec) fn number(self) -> u64 {
        self.0
    }
}
