//! Events and records as bytes.
//!
//! ```text
//! length u32 | kind u8 | sequence u64 | length of the callsite u16 | callsite | spans text | values
//! callsite:  level u8 | line u32 | name text | target text | file text | module path text | field names text ...
//! value:     index of the field u8 | type u8 | the number, the text, or (for errors) the number of texts u8 | texts
//! text:      length u16 | UTF-8
//! ```
//!
//! The sequence number is that of the task that runs, or 0 if none does. An empty file or module path stands for none,
//! and line 0 for none. The length is that of what follows it, and bounds a frame before any of it is kept. The writer
//! cuts long texts, so that every frame is shorter.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use executor_core::boundary;

/// The longest frame, without its length.
pub(super) const LONGEST: usize = 16 << 10;

/// The length of the length.
pub(super) const HEAD: usize = 4;

/// The most fields that an event has, which is also the most that the macros of `tracing` allow.
pub(super) const MOST_FIELDS: usize = 32;

/// The longest texts of a callsite.
const LONGEST_NAME: usize = 256;
const LONGEST_FILE: usize = 512;
const LONGEST_FIELD: usize = 64;

/// The longest text of the spans of an event.
pub(super) const LONGEST_SPANS: usize = 1024;

/// The most texts of an error: its own, and those of its sources.
pub(super) const MOST_SOURCES: usize = 8;

/// What the values of all fields need besides their texts.
const RESERVED: usize = MOST_FIELDS * 64;

/// What stands where a text was cut.
const CUT: &str = "…";

/// What a frame contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An event of `tracing`.
    Event,
    /// A record of `log`, whose one value is the message.
    Record,
}

/// The constant part of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Callsite<'a> {
    /// 1 for errors, up to 5 for traces.
    pub(super) level: u8,
    pub(super) name: &'a str,
    pub(super) target: &'a str,
    pub(super) file: Option<&'a str>,
    pub(super) line: Option<u32>,
    pub(super) module_path: Option<&'a str>,
    pub(super) fields: Vec<&'a str>,
}

/// The value of a field, with its type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// The output of `Debug` or `Display`.
    Debug(Cow<'a, str>),
    Text(Cow<'a, str>),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Bool(bool),
    /// The text of an error, and those of its sources.
    Error(Vec<Cow<'a, str>>),
}

/// A text that does not grow beyond a bound, whatever is formatted into it. Formatting goes on to its end, because a
/// `Debug` of the user may panic if it is told of an error.
pub(super) struct Bounded {
    text: String,
    most: usize,
    is_cut: bool,
}

impl Bounded {
    pub(super) fn new(most: usize) -> Bounded {
        Bounded { text: String::new(), most: most.saturating_sub(CUT.len()), is_cut: false }
    }

    /// Returns the text, with a mark at its end if some is missing.
    pub(super) fn finish(mut self) -> String {
        if self.is_cut {
            self.text.push_str(CUT);
        }
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !self.is_cut {
            let fits = boundary::floor(text, self.most - self.text.len());
            self.is_cut = fits < text.len();
            self.text.push_str(&text[..fits]);
        }
        Ok(())
    }
}

/// Returns a value as text of at most so many bytes.
pub(super) fn bounded(value: impl fmt::Display, most: usize) -> String {
    let mut text = Bounded::new(most);
    // An error is that of a user's `Display`. What it has written before stays.
    let _ = write!(text, "{value}");
    text.finish()
}

/// Writes one frame.
pub(super) struct Writer {
    bytes: Vec<u8>,
    values: usize,
}

impl Writer {
    pub(super) fn new(kind: Kind, sequence: u64, callsite: &Callsite<'_>, spans: &str) -> Writer {
        let mut bytes = vec![0; HEAD];
        bytes.push(kind as u8);
        bytes.extend_from_slice(&sequence.to_le_bytes());
        let at = bytes.len();
        bytes.extend_from_slice(&[0; 2]);
        callsite.write(&mut bytes);
        let length = (bytes.len() - at - 2) as u16;
        bytes[at..at + 2].copy_from_slice(&length.to_le_bytes());
        write_text(spans, LONGEST_SPANS, &mut bytes);
        Writer { bytes, values: 0 }
    }

    /// Returns how many bytes a text may have here.
    pub(super) fn space(&self) -> usize {
        (HEAD + LONGEST - RESERVED).saturating_sub(self.bytes.len())
    }

    /// Adds the value of a field. Fields beyond the most that an event may have are left out.
    pub(super) fn add(&mut self, field: usize, value: &Value<'_>) {
        if field >= MOST_FIELDS || self.values == MOST_FIELDS {
            return;
        }
        self.values += 1;
        self.bytes.push(field as u8);
        let space = self.space();
        let bytes = &mut self.bytes;
        let mut number = |kind: u8, number: &[u8]| {
            bytes.push(kind);
            bytes.extend_from_slice(number);
        };
        match value {
            Value::Debug(text) => {
                number(0, &[]);
                write_text(text, space, bytes);
            }
            Value::Text(text) => {
                number(1, &[]);
                write_text(text, space, bytes);
            }
            Value::I64(value) => number(2, &value.to_le_bytes()),
            Value::U64(value) => number(3, &value.to_le_bytes()),
            Value::I128(value) => number(4, &value.to_le_bytes()),
            Value::U128(value) => number(5, &value.to_le_bytes()),
            Value::F64(value) => number(6, &value.to_bits().to_le_bytes()),
            Value::Bool(value) => number(7, &[u8::from(*value)]),
            Value::Error(texts) => {
                let count = texts.len().min(MOST_SOURCES);
                number(8, &[count as u8]);
                for text in &texts[..count] {
                    let space = (HEAD + LONGEST - RESERVED).saturating_sub(bytes.len());
                    write_text(text, space, bytes);
                }
            }
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = (self.bytes.len() - HEAD) as u32;
        self.bytes[..HEAD].copy_from_slice(&length.to_le_bytes());
        self.bytes
    }
}

impl Callsite<'_> {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.level);
        bytes.extend_from_slice(&self.line.unwrap_or(0).to_le_bytes());
        write_text(self.name, LONGEST_NAME, bytes);
        write_text(self.target, LONGEST_NAME, bytes);
        write_text(self.file.unwrap_or(""), LONGEST_FILE, bytes);
        write_text(self.module_path.unwrap_or(""), LONGEST_NAME, bytes);
        for field in self.fields.iter().take(MOST_FIELDS) {
            write_text(field, LONGEST_FIELD, bytes);
        }
    }
}

impl<'a> Callsite<'a> {
    /// Decodes the callsite of a frame.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Callsite<'a>> {
        let mut rest = Rest(bytes);
        let level = rest.take::<1>()?[0];
        let line = u32::from_le_bytes(*rest.take()?);
        let [name, target, file, module_path] = [rest.text()?, rest.text()?, rest.text()?, rest.text()?];
        let mut fields = Vec::new();
        while !rest.0.is_empty() {
            fields.push(rest.text()?);
        }
        let is_possible = (1..=5).contains(&level) && fields.len() <= MOST_FIELDS;
        let some = |text: &'a str| (!text.is_empty()).then_some(text);
        let line = (line > 0).then_some(line);
        let callsite = Callsite { level, name, target, file: some(file), line, module_path: some(module_path), fields };
        is_possible.then_some(callsite)
    }
}

/// Writes a text, cut to so many bytes.
fn write_text(text: &str, most: usize, bytes: &mut Vec<u8>) {
    let text = if text.len() <= most { Cow::Borrowed(text) } else { Cow::Owned(bounded(text, most)) };
    bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// A frame that a worker has sent, without its length.
#[derive(Debug, PartialEq)]
pub(super) struct Frame<'a> {
    pub(super) kind: Kind,
    /// The bytes of the callsite, which are the same for each event of it.
    pub(super) callsite: &'a [u8],
    /// The spans that the event is in, from the outermost one on, as text.
    pub(super) spans: &'a str,
    pub(super) values: Vec<(usize, Value<'a>)>,
}

/// Returns the sequence number of the task that a frame names, unless it belongs to none.
pub(super) fn sequence_of(frame: &[u8]) -> Option<u64> {
    frame.get(1..9)?.try_into().ok().map(u64::from_le_bytes).filter(|sequence| *sequence > 0)
}

impl<'a> Frame<'a> {
    /// Decodes a frame. Returns `None` if no healthy worker has written it.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Frame<'a>> {
        let mut rest = Rest(bytes);
        let kind = match rest.take::<1>()?[0] {
            0 => Kind::Event,
            1 => Kind::Record,
            _ => return None,
        };
        rest.take::<8>()?;
        let length = u16::from_le_bytes(*rest.take()?);
        let callsite = rest.bytes(length.into())?;
        let spans = rest.text()?;
        let mut values = Vec::new();
        while !rest.0.is_empty() {
            if values.len() == MOST_FIELDS {
                return None;
            }
            let field = usize::from(rest.take::<1>()?[0]);
            values.push((field, rest.value()?));
        }
        Some(Frame { kind, callsite, spans, values })
    }
}

/// The bytes that were not decoded yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = u16::from_le_bytes(*self.take()?);
        std::str::from_utf8(self.bytes(length.into())?).ok()
    }

    fn value(&mut self) -> Option<Value<'a>> {
        Some(match self.take::<1>()?[0] {
            0 => Value::Debug(self.text()?.into()),
            1 => Value::Text(self.text()?.into()),
            2 => Value::I64(i64::from_le_bytes(*self.take()?)),
            3 => Value::U64(u64::from_le_bytes(*self.take()?)),
            4 => Value::I128(i128::from_le_bytes(*self.take()?)),
            5 => Value::U128(u128::from_le_bytes(*self.take()?)),
            6 => Value::F64(f64::from_bits(u64::from_le_bytes(*self.take()?))),
            7 => Value::Bool(self.take::<1>()?[0] != 0),
            8 => {
                let count = usize::from(self.take::<1>()?[0]);
                if !(1..=MOST_SOURCES).contains(&count) {
                    return None;
                }
                Value::Error((0..count).map(|_| self.text().map(Cow::Borrowed)).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn callsite<'a>(name: &'a str, fields: Vec<&'a str>) -> Callsite<'a> {
        let (file, line) = (Some("src/lib.rs"), Some(7));
        Callsite { level: 3, name, target: "app", file, line, module_path: None, fields }
    }

    fn values() -> Vec<Value<'static>> {
        vec![
            Value::Debug("Some(\n\u{1b}[31m)".into()),
            Value::Text("\0 é".into()),
            Value::I64(-5),
            Value::U64(u64::MAX),
            Value::I128(i128::MIN),
            Value::U128(u128::MAX),
            Value::F64(-0.5),
            Value::Bool(true),
            Value::Error(vec!["outer".into(), "inner".into()]),
        ]
    }

    #[test]
    fn an_event_is_read_back_with_its_types() {
        let site = callsite("event src/lib.rs:7", vec!["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
        let mut writer = Writer::new(Kind::Event, 77, &site, "outer{n=1}:inner");
        values().iter().enumerate().for_each(|(field, value)| writer.add(field, value));
        let bytes = writer.finish();
        let (head, body) = bytes.split_first_chunk::<HEAD>().expect("a length");
        assert_eq!(u32::from_le_bytes(*head) as usize, body.len());
        assert_eq!(sequence_of(body), Some(77));
        let frame = Frame::read(body).expect("it can be read");
        assert_eq!((frame.kind, frame.spans), (Kind::Event, "outer{n=1}:inner"));
        assert_eq!(Callsite::read(frame.callsite), Some(site));
        assert_eq!(frame.values, values().into_iter().enumerate().collect::<Vec<_>>());
        for length in 0..body.len() {
            // A cut between two values is the only one that leaves a frame.
            if let Some(frame) = Frame::read(&body[..length]) {
                assert!(frame.values.len() < 9);
            }
        }
    }

    #[test]
    fn the_longest_texts_fit_into_a_frame() {
        let long = "ü".repeat(100_000);
        let fields = vec![long.as_str(); 40];
        let site = Callsite { target: &long, file: Some(&long), module_path: Some(&long), ..callsite(&long, fields) };
        let mut writer = Writer::new(Kind::Event, u64::MAX, &site, &long);
        for field in 0..100 {
            match field % 3 {
                0 => writer.add(field, &Value::Text(long.as_str().into())),
                1 => writer.add(field, &Value::U128(u128::MAX)),
                _ => writer.add(field, &Value::Error(vec![long.as_str().into(); 40])),
            }
        }
        let bytes = writer.finish();
        assert!(bytes.len() <= HEAD + LONGEST, "{}", bytes.len());
        let frame = Frame::read(&bytes[HEAD..]).expect("it can be read");
        assert_eq!(frame.values.len(), MOST_FIELDS);
        assert!(Callsite::read(frame.callsite).is_some_and(|site| site.fields.len() == MOST_FIELDS));
        assert!(matches!(&frame.values[0].1, Value::Text(text) if text.len() > 5000 && text.ends_with(CUT)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300), kind in 0..3_u8) {
            let mut bytes = bytes;
            bytes.insert(0, kind);
            if let Some(frame) = Frame::read(&bytes) {
                prop_assert!(frame.values.len() <= MOST_FIELDS);
                let _ = Callsite::read(frame.callsite);
            }
            let _ = sequence_of(&bytes);
        }

        #[test]
        fn a_damaged_frame_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut writer = Writer::new(Kind::Record, 1, &callsite("name", vec!["message", "n"]), "span");
            values().iter().enumerate().for_each(|(field, value)| writer.add(field, value));
            let mut bytes = writer.finish().split_off(HEAD);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some(frame) = Frame::read(&bytes) {
                let _ = Callsite::read(frame.callsite);
            }
        }
    }
}
