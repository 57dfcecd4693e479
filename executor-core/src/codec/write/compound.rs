//! The elements, entries and fields of compound values, as they are written.

use serde::{Serialize, ser};

use super::Writer;
use crate::codec::{failure::Failure, format::*};

/// The elements of a sequence or a tuple.
pub(in crate::codec) struct Elements<'a, 'v> {
    pub(super) writer: &'a mut Writer<'v>,
    /// The index at which the sequence begins.
    pub(super) head: usize,
    pub(super) announced: Option<usize>,
    pub(super) written: usize,
}

impl Elements<'_, '_> {
    #[inline]
    fn add<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), Failure> {
        self.written += 1;
        self.writer.part(element)
    }

    #[inline]
    pub(super) fn close(self) -> Result<(), Failure> {
        self.writer.depth.leave();
        if self.announced != Some(self.written) {
            close_open(self.writer.into, self.head, self.announced);
        }
        Ok(())
    }
}

/// Ends a sequence or map whose length was unknown, or differs from the announced length.
#[cold]
fn close_open(into: &mut Vec<u8>, head: usize, announced: Option<usize>) {
    if announced.is_some() {
        into[head] = match into[head] {
            SEQ => SEQ_SKEW,
            MAP => MAP_SKEW,
            _ => SEQ_OPEN,
        };
    }
    into.push(END);
}

/// The keys and values of a map.
pub(in crate::codec) struct Entries<'a, 'v> {
    pub(super) writer: &'a mut Writer<'v>,
    pub(super) head: usize,
    pub(super) announced: Option<usize>,
    pub(super) keys: usize,
    pub(super) values: usize,
}

impl ser::SerializeMap for Entries<'_, '_> {
    type Ok = ();
    type Error = Failure;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.keys += 1;
        self.writer.part(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.values += 1;
        if self.keys != self.values {
            self.writer.failed = true;
        }
        self.writer.part(value)
    }

    #[inline]
    fn end(self) -> Result<(), Failure> {
        self.writer.depth.leave();
        if self.keys != self.values {
            return Err(Failure::new("it has a map in which a key has no value, or a value no key"));
        }
        if self.announced != Some(self.keys) {
            close_open(self.writer.into, self.head, self.announced);
        }
        Ok(())
    }
}

/// The fields of a struct or of a struct variant.
pub(in crate::codec) struct Fields<'a, 'v> {
    pub(super) writer: &'a mut Writer<'v>,
    /// The name of the struct or the variant.
    pub(super) kind: &'static str,
    /// The index of the number of the shape.
    pub(super) number_at: usize,
    /// The index of the struct among those that are being written.
    pub(super) open: usize,
    /// `HAS_ABSENT` if a field was omitted, else 0.
    pub(super) mark: u16,
}

impl Fields<'_, '_> {
    #[inline]
    fn add<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Failure> {
        self.writer.names().add(self.open, name);
        self.writer.part(value)
    }

    #[inline]
    fn omit(&mut self, name: &'static str) {
        self.writer.names().add(self.open, name);
        self.writer.notes.absent(self.kind, name);
        self.writer.into.push(ABSENT);
        self.mark = HAS_ABSENT;
    }

    #[inline]
    fn close(self) -> Result<(), Failure> {
        self.writer.depth.leave();
        let number = self.writer.names().close(self.open)? | self.mark;
        self.writer.into[self.number_at..][..2].copy_from_slice(&number.to_le_bytes());
        Ok(())
    }
}

macro_rules! elements {
    ($($trait:ident: $method:ident)*) => {$(
        impl ser::$trait for Elements<'_, '_> {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), Failure> {
                self.add(element)
            }

            #[inline]
            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )*};
}

elements! {
    SerializeSeq: serialize_element
    SerializeTuple: serialize_element
    SerializeTupleStruct: serialize_field
    SerializeTupleVariant: serialize_field
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Fields<'_, '_> {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Failure> {
                self.add(name, value)
            }

            #[inline]
            fn skip_field(&mut self, name: &'static str) -> Result<(), Failure> {
                self.omit(name);
                Ok(())
            }

            #[inline]
            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }
