//! The interface to serde, which `Serialize` implementations call.

use serde::{Serialize, Serializer, ser};

use super::{
    Writer,
    compound::{Elements, Entries, Fields},
};
use crate::codec::{failure::Failure, format::*, numbers};

impl<'v> Writer<'v> {
    #[inline]
    fn begin_sequence(&mut self, count: Option<usize>) -> Result<Elements<'_, 'v>, Failure> {
        self.depth.enter()?;
        let head = self.into.len();
        match count {
            Some(count @ 0..=FEW) => self.into.push(SHORT_SEQ + count as u8),
            Some(count) => self.count(SEQ, count)?,
            None => self.into.push(SEQ_OPEN),
        }
        Ok(Elements { writer: self, head, announced: count, written: 0 })
    }

    /// Begins a tuple. Unlike an empty vector, an empty tuple has no size, so it counts towards the limit of such
    /// values.
    #[inline]
    fn begin_tuple(&mut self, count: usize) -> Result<Elements<'_, 'v>, Failure> {
        if count == 0 {
            self.unit()?;
            self.into.pop();
        }
        self.begin_sequence(Some(count))
    }

    #[inline]
    fn begin_struct(
        &mut self,
        owner: &'static str,
        kind: &'static str,
        count: usize,
    ) -> Result<Fields<'_, 'v>, Failure> {
        self.depth.enter()?;
        if count == 0 {
            self.unit()?;
            self.into.pop();
        }
        self.into.extend_from_slice(&[STRUCT, 0, 0]);
        let (number_at, open) = (self.into.len() - 2, self.names().open(owner, kind));
        Ok(Fields { writer: self, kind, number_at, open, mark: 0 })
    }

    #[inline]
    fn begin_variant(&mut self, tag: u8, variant: &'static str) {
        self.into.push(tag);
        let number = self.names().variant(variant);
        write_count(number, self.into);
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty => $write:ident)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Failure> {
            self.$write(value.into());
            Ok(())
        }
    )*};
}

impl<'a, 'v> Serializer for &'a mut Writer<'v> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Elements<'a, 'v>;
    type SerializeTuple = Elements<'a, 'v>;
    type SerializeTupleStruct = Elements<'a, 'v>;
    type SerializeTupleVariant = Elements<'a, 'v>;
    type SerializeMap = Entries<'a, 'v>;
    type SerializeStruct = Fields<'a, 'v>;
    type SerializeStructVariant = Fields<'a, 'v>;

    numbers! {
        serialize_u8: u8 => number
        serialize_u16: u16 => number
        serialize_u32: u32 => number
        serialize_u64: u64 => number
        serialize_i8: i8 => signed
        serialize_i16: i16 => signed
        serialize_i32: i32 => signed
        serialize_i64: i64 => signed
    }

    fn serialize_u128(self, value: u128) -> Result<(), Failure> {
        self.notes.wide();
        match u64::try_from(value) {
            Ok(value) => self.number(value),
            Err(_) => self.put(U128, value.to_le_bytes()),
        }
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Failure> {
        self.notes.wide();
        match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => self.signed(value),
            (_, Ok(value)) => self.number(value),
            _ => self.put(I128, value.to_le_bytes()),
        }
        Ok(())
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Failure> {
        self.into.push(if value { TRUE } else { FALSE });
        Ok(())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), Failure> {
        self.put(F32, value.to_bits().to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), Failure> {
        self.put(F64, value.to_bits().to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), Failure> {
        self.put(CHAR, u32::from(value).to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Failure> {
        self.into.reserve(value.len() + 2);
        if value.len() <= SHORT {
            self.into.push(SHORT_STR + value.len() as u8);
        } else {
            self.into.push(STR);
            write_count(value.len(), self.into);
        }
        self.into.extend_from_slice(value.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Failure> {
        reserve_block(value.len(), self.into);
        self.into.push(BYTES);
        write_count(value.len(), self.into);
        self.into.extend_from_slice(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Failure> {
        self.into.push(NONE);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        self.depth.enter()?;
        self.into.push(SOME);
        value.serialize(&mut *self)?;
        self.depth.leave();
        Ok(())
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Failure> {
        self.unit()
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Failure> {
        self.unit()
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Failure> {
        self.begin_variant(VARIANT, variant);
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Failure> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.depth.enter()?;
        self.begin_variant(VARIANT_OF, variant);
        value.serialize(&mut *self)?;
        self.depth.leave();
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, count: Option<usize>) -> Result<Elements<'a, 'v>, Failure> {
        self.begin_sequence(count)
    }

    #[inline]
    fn serialize_tuple(self, count: usize) -> Result<Elements<'a, 'v>, Failure> {
        self.begin_tuple(count)
    }

    #[inline]
    fn serialize_tuple_struct(self, name: &'static str, count: usize) -> Result<Elements<'a, 'v>, Failure> {
        self.notes.tuple(name, count);
        self.begin_tuple(count)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Elements<'a, 'v>, Failure> {
        self.begin_variant(VARIANT_OF, variant);
        self.notes.tuple(variant, count);
        self.begin_tuple(count)
    }

    #[inline]
    fn serialize_map(self, count: Option<usize>) -> Result<Entries<'a, 'v>, Failure> {
        self.depth.enter()?;
        let head = self.into.len();
        match count {
            Some(count) => self.count(MAP, count)?,
            None => {
                self.notes.open_map();
                self.into.push(MAP_OPEN);
            }
        }
        Ok(Entries { writer: self, head, announced: count, keys: 0, values: 0 })
    }

    #[inline]
    fn serialize_struct(self, owner: &'static str, count: usize) -> Result<Fields<'a, 'v>, Failure> {
        self.begin_struct(owner, owner, count)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        owner: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Fields<'a, 'v>, Failure> {
        self.begin_variant(VARIANT_OF, variant);
        self.begin_struct(owner, variant, count)
    }

    #[inline]
    fn collect_seq<I>(self, elements: I) -> Result<(), Failure>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        if let Some((kind, count, bytes)) = numbers::of(&elements) {
            reserve_block(bytes.len(), self.into);
            self.into.extend_from_slice(&[NUMBERS, kind]);
            write_count(count, self.into);
            self.into.extend_from_slice(bytes);
            return Ok(());
        }
        let mut elements = elements.into_iter();
        let count = match elements.size_hint() {
            (least, Some(most)) if least == most => Some(least),
            _ => None,
        };
        let mut parts = self.begin_sequence(count)?;
        elements.try_for_each(|element| ser::SerializeSeq::serialize_element(&mut parts, &element))?;
        parts.close()
    }

    /// Returns `true`, because serde's own buffers (for untagged enums and flattened fields) do, and a type that is
    /// written in one form cannot be read in the other. As a consequence, network addresses and UUIDs are sent as text.
    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }
}

/// Reserves capacity for a block of bytes, its tag and its length. A large block is the most of most values that have
/// one. Then there is room for what follows, because growing the vector afterwards would copy the block, but not for as
/// much again, which growing would otherwise take.
#[inline]
fn reserve_block(length: usize, into: &mut Vec<u8>) {
    const LARGE: usize = 4096;
    const BEHIND: usize = 512;
    let needed = length + 12;
    if into.capacity() - into.len() >= needed {
        return;
    }
    if length >= LARGE && into.len() <= length / 2 {
        into.reserve_exact(needed + BEHIND);
    } else {
        into.reserve(needed);
    }
}
