//! The names of fields and variants, which decide where a value belongs.
//!
//! A field that is left out, renamed or moved can so never become another one. The names of a struct are its shape. Each
//! shape and each variant is written once for each value that travels, behind the value, in the order of their numbers:
//!
//! ```text
//! value | counts and lengths | the texts | the mark (8 bytes) | length of counts, lengths and texts (4 bytes) | 1
//! value | 0                                                                             if there are no names and no mark
//! ```
//!
//! A shape is the name of the type and those of its fields. The mark is a number made of all names, and of what else may
//! decide whether the value is the same when it is read; see [`proven`](super::proven).

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::{failure::Failure, format};

// Names that are written are compared by their address, which is faster than by their text. Equal texts at two addresses are
// two names.

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes a name in by its address.
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

/// So many are looked through before an index is made of them.
const FEW: usize = 32;

/// The number of a shape has fifteen bits: the sixteenth says that fields are absent.
const MOST: usize = 1 << 15;

/// A struct that is being written. It is expected to have the shape that the last one of its kind had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    owner: &'static str,
    kind: &'static str,
    expected: u16,
    /// The expected name of the next field among those of all shapes, and where they end. The same: it has another shape, or
    /// all its fields.
    next: usize,
    end: usize,
    /// Its first field among those of all structs that are being written, if it has another shape.
    first: Option<usize>,
}

#[derive(Debug)]
struct Shape {
    owner: &'static str,
    /// The struct, or the variant.
    kind: &'static str,
    hash: u64,
    /// Its fields among those of all shapes.
    first: usize,
    count: usize,
}

/// The shapes and variants that were written so far.
#[derive(Debug)]
pub(super) struct Written {
    shapes: SmallVec<[Shape; 1]>,
    fields: SmallVec<[&'static str; 8]>,
    /// Of structs that are being written and have another shape than was expected, the innermost last.
    open: SmallVec<[&'static str; 8]>,
    variants: SmallVec<[&'static str; 2]>,
    /// The numbers by a hash, where there are many.
    index: Option<Box<Index>>,
    /// What else tells values apart, such as absent fields, as one bit each.
    notes: u64,
}

#[derive(Debug, Default)]
struct Index {
    shapes: BTreeMap<u64, u16>,
    /// The last shape of a kind.
    kinds: BTreeMap<u64, u16>,
    variants: BTreeMap<u64, usize>,
}

impl Written {
    #[inline]
    pub(super) fn new() -> Written {
        Written {
            shapes: SmallVec::new(),
            fields: SmallVec::new(),
            open: SmallVec::new(),
            variants: SmallVec::new(),
            index: None,
            notes: 0,
        }
    }

    /// Begins a struct. `kind` is its name, or that of the variant of the enum `owner`.
    #[inline]
    pub(super) fn open(&self, owner: &'static str, kind: &'static str) -> Open {
        let mut shapes = self.shapes.iter().take(FEW).zip(0..);
        let expected = match shapes.find(|(shape, _)| std::ptr::eq(shape.kind, kind)) {
            Some((shape, number)) => Some((shape, number)),
            None => self.find_indexed(kind),
        };
        let (expected, next, end) = match expected {
            Some((shape, number)) => (number, shape.first, shape.first + shape.count),
            None => (0, 0, 0),
        };
        Open { owner, kind, expected, next, end, first: if end == 0 { Some(self.open.len()) } else { None } }
    }

    #[inline]
    fn find_indexed(&self, kind: &'static str) -> Option<(&Shape, u16)> {
        let number = *self.index.as_ref()?.kinds.get(&mix(0, kind))?;
        Some((&self.shapes[usize::from(number)], number))
    }

    /// Adds a field to a struct.
    #[inline]
    pub(super) fn add(&mut self, open: &mut Open, name: &'static str) {
        if open.next < open.end && std::ptr::eq(self.fields[open.next], name) {
            open.next += 1;
        } else {
            self.add_other(open, name);
        }
    }

    #[cold]
    #[inline(never)]
    fn add_other(&mut self, open: &mut Open, name: &'static str) {
        self.deviate(open);
        self.open.push(name);
    }

    /// From here on, all fields of the struct are in `self.open`.
    fn deviate(&mut self, open: &mut Open) -> usize {
        if let Some(first) = open.first {
            return first;
        }
        let first = self.open.len();
        let shape = &self.shapes[usize::from(open.expected)];
        self.open.extend_from_slice(&self.fields[shape.first..open.next]);
        (open.first, open.next, open.end) = (Some(first), 0, 0);
        first
    }

    /// Notes that a field has no value.
    #[inline]
    pub(super) fn note_absent(&mut self, open: &Open, name: &'static str) {
        // One bit for each, so that it does not matter how often.
        self.notes |= 1 << (mix_text(mix_text(0, open.kind), name) >> 58);
    }

    /// Notes how many fields a struct without names has.
    #[inline]
    pub(super) fn note_tuple(&mut self, name: &'static str, count: usize) {
        self.notes |= 1 << (mix_text(count as u64, name) >> 58);
    }

    /// Notes something else.
    #[inline]
    pub(super) fn note(&mut self, note: Note) {
        self.notes |= note as u64;
    }

    /// The number of the shape of a struct all of whose fields were added.
    #[inline]
    pub(super) fn close(&mut self, open: Open) -> Result<u16, Failure> {
        if open.first.is_none() && open.next == open.end { Ok(open.expected) } else { self.close_other(open) }
    }

    #[cold]
    #[inline(never)]
    fn close_other(&mut self, mut open: Open) -> Result<u16, Failure> {
        let first = self.deviate(&mut open);
        let names = &self.open[first..];
        let hash = names.iter().fold(mix(mix(0, open.owner), open.kind), |hash, name| mix(hash, name));
        let is_same = |shape: &Shape| {
            let fields = &self.fields[shape.first..][..shape.count];
            shape.hash == hash
                && std::ptr::eq(shape.owner, open.owner)
                && std::ptr::eq(shape.kind, open.kind)
                && fields.len() == names.len()
                && fields.iter().zip(names).all(|(known, new)| std::ptr::eq(*known, *new))
        };
        let known = match &self.index {
            None => self.shapes.iter().zip(0..).find(|(shape, _)| is_same(shape)).map(|(_, number)| number),
            Some(index) => {
                index.shapes.get(&hash).copied().filter(|number| is_same(&self.shapes[usize::from(*number)]))
            }
        };
        let number = match known {
            Some(number) => number,
            None => self.add_shape(&open, first, hash)?,
        };
        if let Some(index) = &mut self.index {
            index.kinds.insert(mix(0, open.kind), number);
        }
        self.open.truncate(first);
        Ok(number)
    }

    fn add_shape(&mut self, open: &Open, names: usize, hash: u64) -> Result<u16, Failure> {
        if self.shapes.len() == MOST {
            return Err(Failure::new(format!("its structs have more than {MOST} different sets of fields: use a map")));
        }
        let first = self.fields.len();
        self.fields.extend_from_slice(&self.open[names..]);
        let count = self.fields.len() - first;
        self.shapes.push(Shape { owner: open.owner, kind: open.kind, hash, first, count });
        let number = (self.shapes.len() - 1) as u16;
        if self.shapes.len() > FEW {
            self.index().shapes.insert(hash, number);
        }
        Ok(number)
    }

    /// The number of a variant.
    #[inline]
    pub(super) fn variant(&mut self, name: &'static str) -> usize {
        match self.variants.iter().take(FEW).position(|known| std::ptr::eq(*known, name)) {
            Some(number) => number,
            None => self.variant_other(name),
        }
    }

    #[cold]
    #[inline(never)]
    fn variant_other(&mut self, name: &'static str) -> usize {
        let hash = mix(0, name);
        let known = self.index.as_ref().and_then(|index| index.variants.get(&hash).copied());
        if let Some(number) = known
            && std::ptr::eq(self.variants[number], name)
        {
            return number;
        }
        self.variants.push(name);
        let number = self.variants.len() - 1;
        if number >= FEW {
            self.index().variants.insert(hash, number);
        }
        number
    }

    /// Made when it is needed for the first time.
    fn index(&mut self) -> &mut Index {
        self.index.get_or_insert_with(|| {
            let shapes = self.shapes.iter().zip(0..);
            Box::new(Index {
                shapes: shapes.clone().map(|(shape, number)| (shape.hash, number)).collect(),
                kinds: shapes.map(|(shape, number)| (mix(0, shape.kind), number)).collect(),
                variants: self.variants.iter().zip(0..).map(|(name, number)| (mix(0, name), number)).collect(),
            })
        })
    }

    /// Appends all names, and returns the mark: zero if there are none, and nothing was noted.
    #[inline]
    pub(super) fn finish(&self, into: &mut Vec<u8>) -> Result<Mark, Failure> {
        if self.shapes.is_empty() && self.variants.is_empty() && self.notes == 0 {
            into.push(NO_NAMES);
            return Ok(Mark(0));
        }
        self.write(into)
    }

    #[inline(never)]
    fn write(&self, into: &mut Vec<u8>) -> Result<Mark, Failure> {
        let start = into.len();
        let mut hash = 0;
        let mut text = 0;
        let mut write_length = |name: &str, into: &mut Vec<u8>| {
            format::write_count(name.len(), into);
            text += name.len();
        };
        format::write_count(self.shapes.len(), into);
        for shape in &self.shapes {
            format::write_count(shape.count, into);
            write_length(shape.owner, into);
            let mut own = mix_text(0, shape.owner);
            for name in self.fields_of(shape) {
                write_length(name, into);
                own = mix_text(own, name);
            }
            // Whatever the order, which may be another one if it is that of a map.
            hash ^= own;
        }
        format::write_count(self.variants.len(), into);
        for variant in &self.variants {
            write_length(variant, into);
            hash ^= mix_text(1, variant);
        }
        into.reserve(text + 13);
        for shape in &self.shapes {
            into.extend_from_slice(shape.owner.as_bytes());
            self.fields_of(shape).iter().for_each(|name| into.extend_from_slice(name.as_bytes()));
        }
        self.variants.iter().for_each(|variant| into.extend_from_slice(variant.as_bytes()));
        let length = u32::try_from(into.len() - start)
            .map_err(|_| Failure::new("the names of its fields and variants take more than 4 GiB"))?;
        let mark = Mark::new((hash ^ self.notes).wrapping_mul(SPREAD), self.variants.len() > ONE_BYTE);
        into.extend_from_slice(&mark.0.to_le_bytes());
        into.extend_from_slice(&length.to_le_bytes());
        into.push(NAMES);
        Ok(mark)
    }

    fn fields_of(&self, shape: &Shape) -> &[&'static str] {
        &self.fields[shape.first..][..shape.count]
    }
}

/// So many variants have a number of one byte.
const ONE_BYTE: usize = 128;

/// What else may decide whether a value is the same when it is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Note {
    /// A map whose length is not known: serde writes flattened fields into one.
    OpenMap = 1,
    /// A number that serde cannot buffer.
    Wide = 2,
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
    /// The names of all fields, and then of all variants.
    names: SmallVec<[&'de str; 8]>,
    /// The first variant among the names.
    variants: usize,
    pub(super) mark: Mark,
}

/// A shape as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownShape<'de> {
    /// The type that wrote it.
    pub(super) owner: &'de str,
    first: u32,
    pub(super) count: u32,
    /// Who reads all these fields and no other, in this order.
    pub(super) reader: Option<ReaderId>,
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
        Known { shapes: SmallVec::new(), names: SmallVec::new(), variants: 0, mark: Mark(0) }
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
        let (rest, length) = bytes.split_last_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let (rest, mark) = rest.split_last_chunk()?;
        self.mark = Mark(u64::from_le_bytes(*mark));
        let (value, all) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
        // The lengths are read twice: for where the texts begin, and for each of them.
        let texts = skip_lengths(all)?;
        let mut texts = str::from_utf8(texts).ok()?;
        let mut lengths = all;
        for _ in 0..take_count(&mut lengths)? {
            let count = u32::try_from(take_count(&mut lengths)?).ok()?;
            let owner = take_text(&mut lengths, &mut texts)?;
            let first = u32::try_from(self.names.len()).ok()?;
            self.shapes.push(KnownShape { owner, first, count, reader: None });
            for _ in 0..count {
                self.names.push(take_text(&mut lengths, &mut texts)?);
            }
        }
        self.variants = self.names.len();
        for _ in 0..take_count(&mut lengths)? {
            self.names.push(take_text(&mut lengths, &mut texts)?);
        }
        texts.is_empty().then_some(value)
    }

    #[inline]
    pub(super) fn shape(&self, number: u16) -> Option<KnownShape<'de>> {
        self.shapes.get(usize::from(number)).copied()
    }

    pub(super) fn set_reader(&mut self, number: u16, reader: ReaderId) {
        if let Some(shape) = self.shapes.get_mut(usize::from(number)) {
            shape.reader = Some(reader);
        }
    }

    #[inline]
    pub(super) fn field(&self, shape: &KnownShape<'de>, index: u32) -> &'de str {
        self.names[(shape.first + index) as usize]
    }

    /// Whether a shape consists of these fields, in this order.
    pub(super) fn consists_of(&self, shape: &KnownShape<'de>, fields: &[&str]) -> bool {
        self.names[shape.first as usize..][..shape.count as usize] == *fields
    }

    #[inline]
    pub(super) fn variant(&self, number: usize) -> Option<&'de str> {
        self.names.get(self.variants.checked_add(number)?).copied()
    }
}

fn take_count(bytes: &mut &[u8]) -> Option<usize> {
    let (count, rest) = format::split_count(bytes)?;
    *bytes = rest;
    Some(count)
}

fn take_text<'de>(lengths: &mut &'de [u8], texts: &mut &'de str) -> Option<&'de str> {
    let (text, rest) = texts.split_at_checked(take_count(lengths)?)?;
    *texts = rest;
    Some(text)
}

/// What is behind the counts and lengths. Each takes a byte, so there are no more of them than bytes.
fn skip_lengths(mut bytes: &[u8]) -> Option<&[u8]> {
    for _ in 0..take_count(&mut bytes)? {
        let count = take_count(&mut bytes)?;
        for _ in 0..count.checked_add(1)? {
            take_count(&mut bytes)?;
        }
    }
    for _ in 0..take_count(&mut bytes)? {
        take_count(&mut bytes)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(written: &mut Written, owner: &'static str, names: &[&'static str]) -> u16 {
        let mut open = written.open(owner, owner);
        names.iter().for_each(|name| written.add(&mut open, name));
        written.close(open).expect("few")
    }

    #[test]
    fn a_shape_and_a_variant_are_written_once_and_come_back_under_their_numbers() {
        let mut written = Written::new();
        let shapes: [(&str, &[&str]); 4] =
            [("A", &["one", "two"]), ("B", &["one", "two"]), ("A", &["one"]), ("C", &[])];
        for _ in 0..2 {
            for (number, (owner, names)) in shapes.iter().enumerate() {
                assert_eq!(close(&mut written, owner, names), number as u16);
            }
            assert_eq!(["Ok", "Err", "Ok"].map(|name| written.variant(name)), [0, 1, 0]);
        }
        let mut bytes = b"value".to_vec();
        let mark = written.finish(&mut bytes).expect("few");
        let mut known = Known::new();
        let value = known.split(&bytes).expect("well-formed");
        assert_eq!((value, known.mark), (&b"value"[..], mark));
        for (number, (owner, names)) in shapes.iter().enumerate() {
            let shape = known.shape(number as u16).expect("there");
            assert_eq!(shape.owner, *owner);
            assert!(known.consists_of(&shape, names));
        }
        assert_eq!([0, 1, 2].map(|number| known.variant(number)), [Some("Ok"), Some("Err"), None]);
        assert!(known.shape(4).is_none());
    }

    #[test]
    fn many_shapes_and_variants_are_found_again() {
        let names: Vec<&'static str> = (0..300).map(|number| &*format!("name{number}").leak()).collect();
        let mut written = Written::new();
        for _ in 0..2 {
            for (number, name) in names.iter().enumerate() {
                assert_eq!(close(&mut written, "T", &[name]), number as u16);
                assert_eq!(written.variant(name), number);
            }
        }
    }

    #[test]
    fn a_struct_within_another_has_its_own_fields() {
        let mut written = Written::new();
        let mut outer = written.open("Outer", "Outer");
        written.add(&mut outer, "inner");
        assert_eq!(close(&mut written, "Inner", &["a", "b"]), 0);
        written.add(&mut outer, "rest");
        assert_eq!(written.close(outer).expect("few"), 1);
        assert_eq!(close(&mut written, "Outer", &["inner", "rest"]), 1);
    }

    #[test]
    fn the_mark_depends_on_the_names_and_on_what_is_absent_and_not_on_their_order_or_how_often() {
        let mark = |shapes: &[&[&'static str]], absent: &[&'static str]| {
            let mut written = Written::new();
            for names in shapes {
                close(&mut written, "T", names);
            }
            for name in absent {
                let mut open = written.open("U", "U");
                written.add(&mut open, name);
                written.note_absent(&open, name);
                written.close(open).expect("few");
            }
            written.finish(&mut Vec::new()).expect("few")
        };
        assert!(mark(&[], &[]).is_none());
        assert_eq!(mark(&[&["a", "b"], &["c"], &["a", "b"]], &["d", "d"]), mark(&[&["c"], &["a", "b"]], &["d"]));
        assert_ne!(mark(&[&["a", "b"]], &[]), mark(&[&["a"]], &[]));
        assert_ne!(mark(&[&["a", "b"]], &[]), mark(&[&["b", "a"]], &[]));
        assert_ne!(mark(&[&["a", "b"]], &[]), mark(&[&["a", "b"]], &["c"]));
        let mut wide = Written::new();
        wide.note(Note::Wide);
        assert!(!wide.finish(&mut Vec::new()).expect("few").is_none());
    }
}
