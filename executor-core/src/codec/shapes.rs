//! The names of fields and variants, by which the reader matches them.
//!
//! Matching by name ensures that a field that is omitted, renamed or moved never becomes another one. The names of the
//! fields of a struct are its shape. Each shape and each variant is written once per encoded value, after the value, in
//! the order of their numbers:
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
//! Counts and lengths are LEB128. The mark is a hash of all names, and of everything else that may decide whether the
//! value survives a round trip; see [`verified`](super::verified).
//!
//! A thread [reuses](Written::take) the shapes of earlier values for the next one.

mod known;
mod mark;
mod written;

pub(super) use self::{
    known::{Known, KnownFields, ReaderId},
    mark::{Mark, Notes},
    written::{Written, finish},
};

#[cfg(test)]
mod tests;
