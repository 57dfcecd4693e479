//! The names of a value that is being written.

use std::{cell::Cell, collections::BTreeMap};

use super::mark::{Mark, Notes, SPREAD, mix_text};
use crate::codec::{
    failure::Failure,
    format::{self, NAMES, NO_NAMES},
};

// Names are compared by address, which is faster than by text. Equal texts at two addresses count as two names.

/// Mixes a name into a hash by its address.
#[inline]
fn mix(hash: u64, text: &'static str) -> u64 {
    (hash.rotate_left(29) ^ text.as_ptr().addr() as u64).wrapping_mul(SPREAD)
}

/// The number of a shape has 15 bits: the 16th says that fields are absent.
const MOST_SHAPES: usize = 1 << 15;

/// A thread that has stored more names than this discards them.
const MOST_STORED: usize = 1 << 12;

/// The numbers of the first 128 variants take one byte.
const ONE_BYTE: usize = 128;

/// No index or number. A shape or variant with this number is not used by the value that is being written.
const UNUSED: u32 = u32::MAX;

/// A struct that is being written. It is expected to have the shape of the last struct of its kind.
///
/// It is changed in place until it is closed, because a copy would have to wait for the preceding write to it.
#[derive(Debug)]
struct Open {
    owner: &'static str,
    kind: &'static str,
    expected: u32,
    /// The index of the expected next field in `Written::fields`, and the end of the expected fields. They are equal
    /// when all fields were added, or when the struct does not have the expected shape.
    next: u32,
    end: u32,
    /// If the struct does not have the expected shape, the index of its first field in `Written::other`. Otherwise
    /// [`UNUSED`].
    first: u32,
}

#[derive(Debug)]
struct Shape {
    owner: &'static str,
    /// The name of the struct or the variant.
    kind: &'static str,
    /// The range of its fields in `Written::fields`.
    first: u32,
    end: u32,
    /// The encoded shape.
    encoded: Box<[u8]>,
    hash: u64,
    /// Its number in the value that is being written, or [`UNUSED`].
    number: u32,
}

#[derive(Debug)]
struct Variant {
    name: &'static str,
    hash: u64,
    number: u32,
}

/// The shapes and variants that this thread has written, and which of them the current value uses.
#[derive(Debug, Default)]
pub(in crate::codec) struct Written {
    shapes: Vec<Shape>,
    fields: Vec<&'static str>,
    variants: Vec<Variant>,
    /// By hash: the shapes by all their names, the last shape of each kind, and the variants.
    shape_index: BTreeMap<u64, u32>,
    kind_index: BTreeMap<u64, u32>,
    variant_index: BTreeMap<u64, u32>,
    /// A cache in front of the last two indexes: the hash selects the slot.
    kind_slots: Slots,
    variant_slots: Slots,
    /// The structs that are being written, the innermost last.
    open: Vec<Open>,
    /// The fields of those open structs that do not have the expected shape.
    other: Vec<&'static str>,
    /// The shapes and variants of the current value, in the order of their numbers.
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
    static STORED: Cell<Option<Box<Written>>> = const { Cell::new(None) };
}

impl Written {
    /// Takes the shapes and variants that this thread has stored, until [`give_back`](Written::give_back). If a value
    /// is encoded while another one is being encoded, it starts with none.
    pub(in crate::codec) fn take() -> Box<Written> {
        STORED.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    /// Stores the shapes and variants in the thread, and clears the state of the value.
    fn give_back(mut self: Box<Self>) {
        if self.shapes.len() + self.fields.len() + self.variants.len() > MOST_STORED {
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
        let _ = STORED.try_with(|stored| stored.set(Some(self)));
    }

    /// Begins a struct, or a variant `kind` of the enum `owner`. Returns its index among the open structs.
    #[inline]
    pub(in crate::codec) fn open(&mut self, owner: &'static str, kind: &'static str) -> usize {
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

    /// Adds a field to an open struct.
    #[inline]
    pub(in crate::codec) fn add(&mut self, index: usize, name: &'static str) {
        let open = &mut self.open[index];
        if open.next < open.end && std::ptr::eq(self.fields[open.next as usize], name) {
            open.next += 1;
        } else {
            self.add_other(index, name);
        }
    }

    #[cold]
    #[inline(never)]
    fn add_other(&mut self, index: usize, name: &'static str) {
        self.deviate(index);
        self.other.push(name);
    }

    /// Moves the fields of the struct to `self.other`, and returns the index of the first one there.
    fn deviate(&mut self, index: usize) -> usize {
        let open = &mut self.open[index];
        if open.first == UNUSED {
            let first = self.shapes[open.expected as usize].first;
            (open.first, open.end) = (self.other.len() as u32, 0);
            self.other.extend_from_slice(&self.fields[first as usize..open.next as usize]);
        }
        open.first as usize
    }

    /// Ends an open struct, and returns the number of its shape.
    #[inline]
    pub(in crate::codec) fn close(&mut self, index: usize) -> Result<u16, Failure> {
        let open = &self.open[index];
        let is_expected = open.next == open.end && open.first == UNUSED;
        let shape = if is_expected { open.expected } else { self.close_other(index) };
        self.open.truncate(index);
        let number = self.shapes[shape as usize].number;
        if number == UNUSED { self.use_shape(shape) } else { Ok(number as u16) }
    }

    #[inline(never)]
    fn use_shape(&mut self, shape: u32) -> Result<u16, Failure> {
        if self.used_shapes.len() == MOST_SHAPES {
            return Err(Failure::new(format!(
                "its structs have more than {MOST_SHAPES} different sets of fields: use a map"
            )));
        }
        let number = self.used_shapes.len() as u16;
        self.shapes[shape as usize].number = number.into();
        self.used_shapes.push(shape);
        Ok(number)
    }

    #[cold]
    #[inline(never)]
    fn close_other(&mut self, index: usize) -> u32 {
        let first = self.deviate(index);
        let Open { owner, kind, .. } = self.open[index];
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
        let mut encoded = Vec::with_capacity(rest.len() + 2);
        format::write_count(rest.len(), &mut encoded);
        encoded.extend_from_slice(&rest);
        let first = self.fields.len() as u32;
        self.fields.extend_from_slice(names);
        let end = self.fields.len() as u32;
        let shape = self.shapes.len() as u32;
        let encoded = encoded.into_boxed_slice();
        self.shapes.push(Shape { owner, kind, first, end, encoded, hash, number: UNUSED });
        self.shape_index.insert(address, shape);
        shape
    }

    /// Returns the number of a variant.
    #[inline]
    pub(in crate::codec) fn variant(&mut self, name: &'static str) -> usize {
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

/// Appends all names after a value, and returns its mark.
#[inline]
pub(in crate::codec) fn finish(
    written: Option<Box<Written>>,
    notes: Notes,
    into: &mut Vec<u8>,
) -> Result<Mark, Failure> {
    if written.is_none() && notes == Notes::default() {
        into.push(NO_NAMES);
        return Ok(Mark::NONE);
    }
    write_names(written, notes, into)
}

#[inline(never)]
fn write_names(written: Option<Box<Written>>, notes: Notes, into: &mut Vec<u8>) -> Result<Mark, Failure> {
    let start = into.len();
    let (mut hash, mut varies) = (notes.bits(), false);
    if let Some(written) = written {
        format::write_count(written.used_shapes.len(), into);
        for shape in &written.used_shapes {
            let shape = &written.shapes[*shape as usize];
            into.extend_from_slice(&shape.encoded);
            // XOR makes the hash independent of the order, which may differ if a map determines it.
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
    into.extend_from_slice(&mark.number().to_le_bytes());
    into.extend_from_slice(&length.to_le_bytes());
    into.push(NAMES);
    Ok(mark)
}

#[inline]
fn write_text(text: &str, into: &mut Vec<u8>) {
    format::write_count(text.len(), into);
    into.extend_from_slice(text.as_bytes());
}
