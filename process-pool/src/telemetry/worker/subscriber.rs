//! The subscriber of a worker, which sends every event.

use std::{
    error::Error,
    fmt::{self, Write as _},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, FieldSet, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_core::span::Current;

use super::{
    super::{
        levels,
        wire::{Bounded, Callsite, Kind, MOST_SOURCES, Value, Writer, bounded},
    },
    channel,
    spans::{self, Spans},
};

/// See the [module](self).
pub(super) struct Forwarder {
    level: LevelFilter,
    spans: Spans,
}

impl Forwarder {
    pub(super) fn new(level: LevelFilter) -> Forwarder {
        Forwarder { level, spans: Spans::new() }
    }
}

impl Subscriber for Forwarder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let parent = match attributes.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if attributes.is_contextual() => spans::current(),
            None => None,
        };
        // The values are formatted before a lock is taken, because that runs code of the task.
        let mut fields = Fields::new();
        attributes.record(&mut fields);
        Id::from_u64(self.spans.open(attributes.metadata(), fields.finish(), parent))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut fields = Fields::new();
        values.record(&mut fields);
        self.spans.add(span.into_u64(), &fields.finish());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let innermost = match event.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if event.is_contextual() => spans::current(),
            None => None,
        };
        let callsite = Callsite {
            level: levels::number_of(metadata.level()),
            name: metadata.name(),
            target: metadata.target(),
            file: metadata.file(),
            line: metadata.line(),
            module_path: metadata.module_path(),
            fields: metadata.fields().iter().map(|field| field.name()).collect(),
        };
        let writer = Writer::new(Kind::Event, channel::sequence(), &callsite, &self.spans.text(innermost));
        let mut values = Values { writer, fields: metadata.fields() };
        event.record(&mut values);
        channel::send(&values.writer.finish());
    }

    fn enter(&self, span: &Id) {
        spans::enter(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        spans::exit(span.into_u64());
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.spans.acquire(span.into_u64());
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        self.spans.release(span.into_u64())
    }

    fn current_span(&self) -> Current {
        self.spans.current().map_or_else(Current::none, |(id, metadata)| Current::new(Id::from_u64(id), metadata))
    }
}

/// Writes the values of an event.
struct Values<'a> {
    writer: Writer,
    fields: &'a FieldSet,
}

impl Values<'_> {
    fn add(&mut self, field: &Field, value: &Value<'_>) {
        // The oldest `tracing` that this crate allows does not tell the place of a field.
        if let Some(place) = self.fields.iter().position(|other| other == *field) {
            self.writer.add(place, value);
        }
    }
}

impl Visit for Values<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = bounded(format_args!("{value:?}"), self.writer.space());
        self.add(field, &Value::Debug(text.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, &Value::Text(value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &Value::U64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.add(field, &Value::I128(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.add(field, &Value::U128(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, &Value::F64(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &Value::Bool(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let chain = std::iter::successors(Some(value), |error: &&(dyn Error + 'static)| (*error).source());
        let space = self.writer.space();
        let texts = chain.take(MOST_SOURCES).map(|error| bounded(error, space).into()).collect();
        self.add(field, &Value::Error(texts));
    }
}

/// Formats the fields of a span as text.
struct Fields {
    text: Bounded,
    separator: &'static str,
}

impl Fields {
    fn new() -> Fields {
        Fields { text: spans::fields(), separator: "" }
    }

    fn finish(self) -> String {
        self.text.finish()
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // An error is that of a user's `Debug`. What it has written before stays.
        let _ = match field.name() {
            "message" => write!(self.text, "{}{value:?}", self.separator),
            name => write!(self.text, "{}{name}={value:?}", self.separator),
        };
        self.separator = " ";
    }
}
