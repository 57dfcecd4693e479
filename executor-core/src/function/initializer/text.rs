//! Any value as a short text for people.

use std::fmt::{self, Display, Write};

use serde::{Serialize, Serializer, ser};

/// The longest text. The rest of a longer one is left out.
const LONGEST: usize = 4096;

/// The deepest nesting that is shown.
const DEEPEST: usize = 32;

/// The text of `None`.
const NONE: &str = "none";

/// Returns a text for a value: text as it is, an error of this library as its message with those of its sources, and
/// everything else like its `Debug` text.
pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = Text { written: String::new(), depth: 0 };
    if value.serialize(&mut text).is_err() {
        text.written.push('…');
    }
    text.written
}

struct Text {
    written: String,
    depth: usize,
}

/// The text is long enough, or the value refuses to be serialized.
#[derive(Debug)]
struct Stopped;

impl Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

impl ser::Error for Stopped {
    fn custom<T: Display>(_: T) -> Stopped {
        Stopped
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let space = LONGEST.saturating_sub(self.written.len());
        if text.len() > space {
            let end = (0..=space).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            self.written.push_str(&text[..end]);
            return Err(fmt::Error);
        }
        self.written.push_str(text);
        Ok(())
    }
}

impl Text {
    fn show(&mut self, value: impl Display) -> Result<(), Stopped> {
        write!(self, "{value}").map_err(|_| Stopped)
    }

    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        if self.depth == DEEPEST {
            return Err(Stopped);
        }
        self.depth += 1;
        let shown = value.serialize(&mut *self);
        self.depth -= 1;
        shown
    }

    /// Begins a list that ends with `close`.
    fn list(&mut self, open: impl Display, close: &'static str) -> Result<List<'_>, Stopped> {
        self.show(open)?;
        Ok(List { text: self, close, is_first: true, is_message: false })
    }
}

/// The elements of a value that is being shown.
struct List<'a> {
    text: &'a mut Text,
    close: &'static str,
    is_first: bool,
    /// Whether it is an error of this library, of which only the messages are shown.
    is_message: bool,
}

impl List<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        if !std::mem::take(&mut self.is_first) {
            self.text.show(", ")?;
        }
        self.text.nested(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Stopped> {
        if self.is_message {
            return match name {
                "message" => self.text.nested(value),
                "source" => match of(value).as_str() {
                    NONE => Ok(()),
                    source => self.text.show(format_args!(": {source}")),
                },
                _ => Ok(()),
            };
        }
        self.text.show(if std::mem::take(&mut self.is_first) { "" } else { ", " })?;
        self.text.show(format_args!("{name}: "))?;
        self.text.nested(value)
    }

    fn end(self) -> Result<(), Stopped> {
        self.text.show(self.close)
    }
}

macro_rules! shown {
    ($($method:ident($type:ty);)*) => {$(
        fn $method(self, value: $type) -> Result<(), Stopped> {
            self.show(value)
        }
    )*};
}

impl<'a> Serializer for &'a mut Text {
    type Ok = ();
    type Error = Stopped;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = List<'a>;
    type SerializeStruct = List<'a>;
    type SerializeStructVariant = List<'a>;

    shown! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Stopped> {
        self.show(format_args!("{} bytes", bytes.len()))
    }

    fn serialize_none(self) -> Result<(), Stopped> {
        self.show(NONE)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Stopped> {
        self.nested(value)
    }

    fn serialize_unit(self) -> Result<(), Stopped> {
        self.show("()")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Stopped> {
        self.show(name)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Stopped> {
        self.show(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Stopped> {
        self.nested(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Stopped> {
        self.show(format_args!("{variant}("))?;
        self.nested(value)?;
        self.show(")")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Stopped> {
        self.list("[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, Stopped> {
        self.list("(", ")")
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<List<'a>, Stopped> {
        self.list(format_args!("{name}("), ")")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, Stopped> {
        self.list(format_args!("{variant}("), ")")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<List<'a>, Stopped> {
        self.list("{ ", " }")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<List<'a>, Stopped> {
        if name == crate::error::MESSAGE {
            let mut list = self.list("", "")?;
            list.is_message = true;
            return Ok(list);
        }
        self.list(format_args!("{name} {{ "), " }")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, Stopped> {
        self.list(format_args!("{variant} {{ "), " }")
    }
}

macro_rules! elements {
    ($($kind:ident::$method:ident;)*) => {$(
        impl ser::$kind for List<'_> {
            type Ok = ();
            type Error = Stopped;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
                self.element(value)
            }

            fn end(self) -> Result<(), Stopped> {
                List::end(self)
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! fields {
    ($($kind:ident),*) => {$(
        impl ser::$kind for List<'_> {
            type Ok = ();
            type Error = Stopped;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Stopped> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Stopped> {
                List::end(self)
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for List<'_> {
    type Ok = ();
    type Error = Stopped;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Stopped> {
        self.element(key)?;
        self.text.show(": ")
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        self.text.nested(value)
    }

    fn end(self) -> Result<(), Stopped> {
        List::end(self)
    }
}
