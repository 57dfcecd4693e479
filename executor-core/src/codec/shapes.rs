//! The names of fields and variants, which decide where a value belongs.
//!
//! A field that is left out, renamed or moved can so never become another one. The names of a struct are its shape. Each
//! shape and each variant is written once for each value that travels, behind the value, in the order of their numbers:
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
//! Counts and lengths are LEB128. The mark is a number made of all names, and of what else may decide whether the value is the
//! same when it is read; see [`proven`](super::proven).
//!
//! What a thread has learned about the shapes that it writes is [kept](Written::take) from value to value.

use std::{cell::Cell, collections::BTreeMap};

use smallvec::SmallVec;

use super::{failure::Failure, format};

// Names that are written are compared by their address, which is faster than by their text. Equal texts at two addresses are
// two names.

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes a name in by its address.
#[inline]
fn mix(hash: u64, text: &'static str) -> u64 {
    (hash.rotate_left(29) ^ text.as_ptr().addr() as u64).wrapping_mul(SPREAD)
}

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

/// The number of a shape has fifteen bits: the sixteenth says that fields are absent.
const MOST: usize = 1 << 15;

/// A thread that knows more names than this forgets them.
const KEPT: usize = 1 << 12;

/// So many variants have a number of one byte.
const ONE_BYTE: usize = 128;

/// Not in the value that is being written.
const UNUSED: u32 = u32::MAX;

/// A struct that is being written. It is expected to have the shape that the last one of its kind had.
///
/// It stays where it is until it is closed, for a copy of it would have to wait for what was just written to it.
#[derive(Debug)]
struct Open {
    owner: &'static str,
    kind: &'static str,
    expected: u32,
    /// The expected name of the next field among those of all shapes, and where they end. The same: it has another shape, or
    /// all its fields.
    next: u32,
    end: u32,
    /// Its first field among those of all structs that are being written, if it has another shape. Otherwise [`UNUSED`].
    first: u32,
}

#[derive(Debug)]
struct Shape {
    owner: &'static str,
    /// The struct, or the variant.
    kind: &'static str,
    /// Its fields among those of all shapes.
    first: u32,
    end: u32,
    /// What is written of it.
    written: Box<[u8]>,
    hash: u64,
    /// In the value that is being written.
    number: u32,
}

#[derive(Debug)]
struct Variant {
    name: &'static str,
    hash: u64,
    number: u32,
}

/// The shapes and variants that this thread has written, and those of the value that is being written.
#[derive(Debug, Default)]
pub(super) struct Written {
    shapes: Vec<Shape>,
    fields: Vec<&'static str>,
    variants: Vec<Variant>,
    /// The shapes by their names, the last shape of each kind, and the variants, by a hash.
    shape_index: BTreeMap<u64, u32>,
    kind_index: BTreeMap<u64, u32>,
    variant_index: BTreeMap<u64, u32>,
    /// Where to look first: the number of the kind or the variant whose hash selects this slot.
    kind_slots: Slots,
    variant_slots: Slots,
    /// The structs that are being written, the innermost last.
    open: Vec<Open>,
    /// Their fields, of those that have another shape than was expected.
    other: Vec<&'static str>,
    /// The shapes and variants of this value, in the order of their numbers.
    used_shapes: Vec<u32>,
    used_variants: Vec<u32>,
}

#[derive(Debug)]
struct Slots([u32; 64]);

impl Default for Slots {
    fn default() -> Slots {
        Slots([UNUSED; 64])
    }
}

impl Slots {
    #[inline]
    fn at(&mut self, hash: u64) -> &mut u32 {
        &mut self.0[(hash >> 58) as usize]
    }
}

thread_local! {
    static LEARNED: Cell<Option<Box<Written>>> = const { Cell::new(None) };
}

impl Written {
    /// What this thread has learned, to be [given back](Written::give_back). A value that is written within another one begins
    /// with nothing.
    pub(super) fn take() -> Box<Written> {
        LEARNED.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    /// Keeps what was learned, and forgets the value.
    fn give_back(mut self: Box<Self>) {
        if self.shapes.len() + self.fields.len() + self.variants.len() > KEPT {
            return;
        }
        self.open.clear();
        self.other.clear();
        for used in self.used_shapes.drain(..) {
            self.shapes[used as usize].number = UNUSED;
        }
        for used in self.used_variants.drain(..) {
            self.variants[used as usize].number = UNUSED;
        }
        let _ = LEARNED.try_with(|learned| learned.set(Some(self)));
    }

    /// Begins a struct. `kind` is its name, or that of the variant of the enum `owner`. Returns its place among those that are
    /// being written.
    #[inline]
    pub(super) fn open(&mut self, owner: &'static str, kind: &'static str) -> usize {
        let hash = mix(0, kind);
        let expected = *self.kind_slots.at(hash);
        let open = match self.shapes.get(expected as usize) {
            Some(Shape { kind: known, first, end, .. }) if std::ptr::eq(*known, kind) => {
                Open { owner, kind, expected, next: *first, end: *end, first: UNUSED }
            }
            _ => self.open_other(owner, kind, hash),
        };
        self.open.push(open);
        self.open.len() - 1
    }

    #[cold]
    #[inline(never)]
    fn open_other(&mut self, owner: &'static str, kind: &'static str, hash: u64) -> Open {
        let known = self.kind_index.get(&hash).copied();
        let known = known.filter(|known| std::ptr::eq(self.shapes[*known as usize].kind, kind));
        let Some(expected) = known else {
            return Open { owner, kind, expected: UNUSED, next: 0, end: 0, first: self.other.len() as u32 };
        };
        *self.kind_slots.at(hash) = expected;
        let Shape { first, end, .. } = self.shapes[expected as usize];
        Open { owner, kind, expected, next: first, end, first: UNUSED }
    }

    /// Adds a field to a struct.
    #[inline]
    pub(super) fn add(&mut self, place: usize, name: &'static str) {
        let open = &mut self.open[place];
        if open.next < open.end && std::ptr::eq(self.fields[open.next as usize], name) {
            open.next += 1;
        } else {
            self.add_other(place, name);
        }
    }

    #[cold]
    #[inline(never)]
    fn add_other(&mut self, place: usize, name: &'static str) {
        self.deviate(place);
        self.other.push(name);
    }

    /// From here on, all fields of the struct are in `self.other`, from the place on that is returned.
    fn deviate(&mut self, place: usize) -> usize {
        let open = &mut self.open[place];
        if open.first == UNUSED {
            let first = self.shapes[open.expected as usize].first;
            (open.first, open.end) = (self.other.len() as u32, 0);
            self.other.extend_from_slice(&self.fields[first as usize..open.next as usize]);
        }
        open.first as usize
    }

    /// The number of the shape of a struct all of whose fields were added.
    #[inline]
    pub(super) fn close(&mut self, place: usize) -> Result<u16, Failure> {
        let open = &self.open[place];
        let is_expected = open.next == open.end && open.first == UNUSED;
        let shape = if is_expected { open.expected } else { self.close_other(place) };
        self.open.truncate(place);
        let number = self.shapes[shape as usize].number;
        if number == UNUSED { self.use_shape(shape) } else { Ok(number as u16) }
    }

    #[inline(never)]
    fn use_shape(&mut self, shape: u32) -> Result<u16, Failure> {
        if self.used_shapes.len() == MOST {
            return Err(Failure::new(format!("its structs have more than {MOST} different sets of fields: use a map")));
        }
        let number = self.used_shapes.len() as u16;
        self.shapes[shape as usize].number = number.into();
        self.used_shapes.push(shape);
        Ok(number)
    }

    #[cold]
    #[inline(never)]
    fn close_other(&mut self, place: usize) -> u32 {
        let first = self.deviate(place);
        let Open { owner, kind, .. } = self.open[place];
        let names = &self.other[first..];
        let address = names.iter().fold(mix(mix(0, owner), kind), |hash, name| mix(hash, name));
        let known = self.shape_index.get(&address).copied().filter(|known| {
            let shape = &self.shapes[*known as usize];
            let fields = &self.fields[shape.first as usize..shape.end as usize];
            std::ptr::eq(shape.owner, owner)
                && std::ptr::eq(shape.kind, kind)
                && fields.len() == names.len()
                && fields.iter().zip(names).all(|(known, new)| std::ptr::eq(*known, *new))
        });
        let shape = known.unwrap_or_else(|| self.add_shape(owner, kind, first, address));
        self.other.truncate(first);
        let hash = mix(0, kind);
        self.kind_index.insert(hash, shape);
        *self.kind_slots.at(hash) = shape;
        shape
    }

    fn add_shape(&mut self, owner: &'static str, kind: &'static str, names: usize, address: u64) -> u32 {
        let names = &self.other[names..];
        let mut rest = Vec::new();
        write_text(owner, &mut rest);
        format::write_count(names.len(), &mut rest);
        let mut hash = mix_text(0, owner);
        for name in names {
            write_text(name, &mut rest);
            hash = mix_text(hash, name);
        }
        let mut written = Vec::with_capacity(rest.len() + 2);
        format::write_count(rest.len(), &mut written);
        written.extend_from_slice(&rest);
        let first = self.fields.len() as u32;
        self.fields.extend_from_slice(names);
        let end = self.fields.len() as u32;
        let shape = self.shapes.len() as u32;
        let written = written.into_boxed_slice();
        self.shapes.push(Shape { owner, kind, first, end, written, hash, number: UNUSED });
        self.shape_index.insert(address, shape);
        shape
    }

    /// The number of a variant.
    #[inline]
    pub(super) fn variant(&mut self, name: &'static str) -> usize {
        let hash = mix(0, name);
        let known = *self.variant_slots.at(hash);
        match self.variants.get(known as usize) {
            Some(variant) if std::ptr::eq(variant.name, name) && variant.number != UNUSED => variant.number as usize,
            _ => self.variant_other(name, hash),
        }
    }

    #[inline(never)]
    fn variant_other(&mut self, name: &'static str, hash: u64) -> usize {
        let known = self.variant_index.get(&hash).copied();
        let variant = match known.filter(|known| std::ptr::eq(self.variants[*known as usize].name, name)) {
            Some(variant) => variant,
            None => {
                self.variants.push(Variant { name, hash: mix_text(1, name), number: UNUSED });
                let variant = (self.variants.len() - 1) as u32;
                self.variant_index.insert(hash, variant);
                variant
            }
        };
        *self.variant_slots.at(hash) = variant;
        let number = &mut self.variants[variant as usize].number;
        if *number == UNUSED {
            *number = self.used_variants.len() as u32;
            self.used_variants.push(variant);
        }
        *number as usize
    }
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

/// Appends all names behind a value, and returns its mark.
#[inline]
pub(super) fn finish(written: Option<Box<Written>>, notes: Notes, into: &mut Vec<u8>) -> Result<Mark, Failure> {
    if written.is_none() && notes == Notes::default() {
        into.push(NO_NAMES);
        return Ok(Mark(0));
    }
    write_names(written, notes, into)
}

#[inline(never)]
fn write_names(written: Option<Box<Written>>, notes: Notes, into: &mut Vec<u8>) -> Result<Mark, Failure> {
    let start = into.len();
    let (mut hash, mut varies) = (notes.0, false);
    if let Some(written) = written {
        format::write_count(written.used_shapes.len(), into);
        for shape in &written.used_shapes {
            let shape = &written.shapes[*shape as usize];
            into.extend_from_slice(&shape.written);
            // Whatever the order, which may be another one if it is that of a map.
            hash ^= shape.hash;
        }
        format::write_count(written.used_variants.len(), into);
        for variant in &written.used_variants {
            let variant = &written.variants[*variant as usize];
            write_text(variant.name, into);
            hash ^= variant.hash;
        }
        varies = written.used_variants.len() > ONE_BYTE;
        written.give_back();
    } else {
        into.extend_from_slice(&[0, 0]);
    }
    let length = u32::try_from(into.len() - start)
        .map_err(|_| Failure::new("the names of its fields and variants take more than 4 GiB"))?;
    let mark = Mark::new(hash.wrapping_mul(SPREAD), varies);
    into.reserve(13);
    into.extend_from_slice(&mark.0.to_le_bytes());
    into.extend_from_slice(&length.to_le_bytes());
    into.push(NAMES);
    Ok(mark)
}

#[inline]
fn write_text(text: &str, into: &mut Vec<u8>) {
    format::write_count(text.len(), into);
    into.extend_from_slice(text.as_bytes());
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

/// The shapes and variants of a value that is read.
#[derive(Debug)]
pub(super) struct Known<'de> {
    shapes: SmallVec<[KnownShape<'de>; 1]>,
    /// The names of the fields of those shapes that are read by them.
    fields: Vec<&'de str>,
    variants: SmallVec<[&'de str; 2]>,
    pub(super) mark: Mark,
}

/// A shape as it was read.
#[derive(Clone, Copy, Debug)]
struct KnownShape<'de> {
    /// The name of the type, the count and the names of the fields, which are read when they are needed.
    written: &'de [u8],
    /// Who reads all these fields and no other, in this order.
    reader: Option<ReaderId>,
    fields: Option<KnownFields<'de>>,
}

/// The names of the fields of a shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownFields<'de> {
    /// The type that wrote them.
    pub(super) owner: &'de str,
    first: u32,
    pub(super) count: u32,
}

/// The visitor that reads a struct, and the fields that it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReaderId {
    pub(super) visitor: std::any::TypeId,
    pub(super) fields: *const [&'static str],
}

impl<'de> Known<'de> {
    #[inline]
    pub(super) fn new() -> Known<'de> {
        Known { shapes: SmallVec::new(), fields: Vec::new(), variants: SmallVec::new(), mark: Mark(0) }
    }

    /// Splits the names off the end of a value.
    #[inline]
    pub(super) fn split(&mut self, bytes: &'de [u8]) -> Result<&'de [u8], Failure> {
        match bytes.split_last() {
            Some((&NO_NAMES, value)) => Ok(value),
            Some((&NAMES, rest)) => self.read(rest).ok_or_else(Failure::damaged),
            Some(_) => Err(Failure::damaged()),
            None => Err(Failure::short()),
        }
    }

    /// `None`: it is damaged.
    #[inline(never)]
    fn read(&mut self, bytes: &'de [u8]) -> Option<&'de [u8]> {
        let (rest, length) = bytes.split_last_chunk()?;
        let (rest, mark) = rest.split_last_chunk()?;
        self.mark = Mark(u64::from_le_bytes(*mark));
        let start = rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?;
        let (value, mut names) = rest.split_at_checked(start)?;
        // Each shape and each variant takes a byte at least, so there are no more of them than bytes.
        for _ in 0..take_count(&mut names)? {
            let written = take_slice(&mut names)?;
            self.shapes.push(KnownShape { written, reader: None, fields: None });
        }
        for _ in 0..take_count(&mut names)? {
            self.variants.push(take_text(&mut names)?);
        }
        names.is_empty().then_some(value)
    }

    /// Whether this reader is known to read all fields of a shape and no other, in this order.
    #[inline]
    pub(super) fn has_reader(&self, number: u16, reader: ReaderId) -> bool {
        self.shapes.get(usize::from(number)).is_some_and(|shape| shape.reader == Some(reader))
    }

    pub(super) fn set_reader(&mut self, number: u16, reader: ReaderId) {
        if let Some(shape) = self.shapes.get_mut(usize::from(number)) {
            shape.reader = Some(reader);
        }
    }

    /// Whether a shape consists of these fields, in this order.
    pub(super) fn consists_of(&self, number: u16, fields: &[&str]) -> bool {
        let compare = |mut written: &[u8]| {
            take_slice(&mut written)?;
            let is_as_long = take_count(&mut written)? == fields.len();
            let mut fields = fields.iter();
            (is_as_long && fields.all(|field| take_slice(&mut written) == Some(field.as_bytes()))).then_some(())
        };
        self.shapes.get(usize::from(number)).is_some_and(|shape| compare(shape.written).is_some())
    }

    /// The names of the fields of a shape. `None`: there is none with this number, or it is damaged.
    #[inline]
    pub(super) fn fields_of(&mut self, number: u16) -> Option<KnownFields<'de>> {
        match self.shapes.get(usize::from(number))?.fields {
            Some(fields) => Some(fields),
            None => self.read_fields(number),
        }
    }

    #[inline(never)]
    fn read_fields(&mut self, number: u16) -> Option<KnownFields<'de>> {
        let shape = self.shapes.get_mut(usize::from(number))?;
        let mut written = shape.written;
        let owner = take_text(&mut written)?;
        let count = u32::try_from(take_count(&mut written)?).ok()?;
        let first = u32::try_from(self.fields.len()).ok()?;
        for _ in 0..count {
            self.fields.push(take_text(&mut written)?);
        }
        let fields = KnownFields { owner, first, count };
        shape.fields = Some(fields);
        written.is_empty().then_some(fields)
    }

    #[inline]
    pub(super) fn field(&self, fields: &KnownFields<'de>, index: u32) -> &'de str {
        self.fields[(fields.first + index) as usize]
    }

    #[inline]
    pub(super) fn variant(&self, number: usize) -> Option<&'de str> {
        self.variants.get(number).copied()
    }
}

#[inline]
fn take_count(bytes: &mut &[u8]) -> Option<usize> {
    let (count, rest) = format::split_count(bytes)?;
    *bytes = rest;
    Some(count)
}

#[inline]
fn take_slice<'de>(bytes: &mut &'de [u8]) -> Option<&'de [u8]> {
    let length = take_count(bytes)?;
    let (slice, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(slice)
}

fn take_text<'de>(bytes: &mut &'de [u8]) -> Option<&'de str> {
    str::from_utf8(take_slice(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(written: &mut Written, owner: &'static str, names: &[&'static str]) -> u16 {
        let open = written.open(owner, owner);
        names.iter().for_each(|name| written.add(open, name));
        written.close(open).expect("few")
    }

    #[test]
    fn a_shape_and_a_variant_are_written_once_and_come_back_under_their_numbers() {
        let shapes: [(&str, &[&str]); 4] =
            [("A", &["one", "two"]), ("B", &["one", "two"]), ("A", &["one"]), ("C", &[])];
        // What was learned from one value is no part of the next.
        for shapes in [&shapes[..], &shapes[2..], &shapes[..1], &[]] {
            let mut written = Written::take();
            for _ in 0..2 {
                for (number, (owner, names)) in shapes.iter().enumerate() {
                    assert_eq!(close(&mut written, owner, names), number as u16);
                }
                assert_eq!(["Ok", "Err", "Ok"].map(|name| written.variant(name)), [0, 1, 0]);
            }
            let mut bytes = b"value".to_vec();
            let mark = finish(Some(written), Notes::default(), &mut bytes).expect("few");
            let mut known = Known::new();
            let value = known.split(&bytes).expect("well-formed");
            assert_eq!((value, known.mark), (&b"value"[..], mark));
            for (number, (owner, names)) in shapes.iter().enumerate() {
                let number = number as u16;
                assert!(known.consists_of(number, names) && !known.consists_of(number, &["one", "two", "three"]));
                let fields = known.fields_of(number).expect("there");
                assert_eq!((fields.owner, fields.count as usize), (*owner, names.len()));
                assert!(names.iter().zip(0..).all(|(name, index)| known.field(&fields, index) == *name));
            }
            assert_eq!([0, 1, 2].map(|number| known.variant(number)), [Some("Ok"), Some("Err"), None]);
            assert!(known.fields_of(shapes.len() as u16).is_none());
        }
    }

    #[test]
    fn many_shapes_and_variants_are_found_again() {
        let names: Vec<&'static str> = (0..300).map(|number| &*format!("name{number}").leak()).collect();
        let mut written = Written::take();
        for _ in 0..2 {
            for (number, name) in names.iter().enumerate() {
                assert_eq!(close(&mut written, "T", &[name]), number as u16);
                assert_eq!(written.variant(name), number);
            }
        }
    }

    #[test]
    fn a_struct_within_another_has_its_own_fields() {
        let mut written = Written::default();
        for _ in 0..2 {
            let outer = written.open("Outer", "Outer");
            written.add(outer, "inner");
            assert_eq!(close(&mut written, "Inner", &["a", "b"]), 0);
            written.add(outer, "rest");
            assert_eq!(written.close(outer).expect("few"), 1);
            assert_eq!(close(&mut written, "Outer", &["inner", "rest"]), 1);
            // Neither one that ends early, nor one that goes on.
            assert_eq!(close(&mut written, "Outer", &["inner"]), 2);
            assert_eq!(close(&mut written, "Outer", &["inner", "rest", "more"]), 3);
        }
    }

    #[test]
    fn the_mark_depends_on_the_names_and_on_what_is_absent_and_not_on_their_order_or_how_often() {
        let mark = |shapes: &[&[&'static str]], absent: &[&'static str]| {
            let (mut written, mut notes) = (Written::take(), Notes::default());
            for names in shapes {
                close(&mut written, "T", names);
            }
            for name in absent {
                let open = written.open("U", "U");
                written.add(open, name);
                notes.absent("U", name);
                written.close(open).expect("few");
            }
            finish(Some(written), notes, &mut Vec::new()).expect("few")
        };
        assert_eq!(mark(&[&["a", "b"], &["c"], &["a", "b"]], &["d", "d"]), mark(&[&["c"], &["a", "b"]], &["d"]));
        assert_ne!(mark(&[&["a", "b"]], &[]), mark(&[&["a"]], &[]));
        assert_ne!(mark(&[&["a", "b"]], &[]), mark(&[&["b", "a"]], &[]));
        assert_ne!(mark(&[&["a", "b"]], &[]), mark(&[&["a", "b"]], &["c"]));
        let mut wide = Notes::default();
        assert!(finish(None, wide, &mut Vec::new()).expect("few").is_none());
        wide.wide();
        assert!(!finish(None, wide, &mut Vec::new()).expect("few").is_none());
    }
}
