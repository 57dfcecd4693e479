//! Handing events to the subscriber and records to the logger, in the callback thread.

use std::{error::Error, fmt, sync::Arc};

use executor_core::host;
#[cfg(feature = "log")]
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Metadata, Span, dispatcher, field, warn};

use super::{
    super::wire::{Callsite, Frame, Kind, MOST_FIELDS, Value, bounded},
    callsites::{self, FIELDS, FILE, Found, LINE, MODULE_PATH, NAME, SPANS, Share, TARGET},
    queue::{Item, Worker},
    shared::Shared,
    span::TaskSpan,
};
use crate::forward::grouped;

/// How many items are delivered before other callbacks have their turn. As long as fewer wait, the events of a task are
/// delivered before its callbacks run.
const AT_ONCE: usize = 4096;

/// The longest text of the fields of an event whose callsite is shared.
const LONGEST_FIELDS: usize = 16 << 10;

impl Shared {
    /// Delivers what is in the queue, up to a bound. Returns `true` if more waits. A panic of the subscriber ends here.
    pub(super) fn deliver(&self) -> bool {
        for _ in 0..AT_ONCE {
            let Some(item) = self.queue.next() else { return false };
            host::contain(|| self.deliver_item(item));
        }
        true
    }

    fn deliver_item(&self, item: Item) {
        match item {
            Item::Frame { worker, task, frame, left_out } => {
                self.report_left_out(&worker, left_out);
                let is_readable = self.with_subscriber_of(task, |task| {
                    let span = || task.map_or_else(Span::none, |task| task.on(&worker.name));
                    deliver_frame(&frame, span, &self.share)
                });
                if is_readable.is_none() {
                    worker.leave_out();
                }
            }
            Item::LeftOut { worker, count } => self.report_left_out(&worker, count),
            Item::Unreadable { worker } => self.with_subscriber_of(None, |_| {
                let worker = &worker.name;
                let message = format!(
                    "the events of worker {worker} can no longer be read: a task has written to the descriptor that \
                     they are sent through, or over the worker's memory"
                );
                report_to_logger(&message);
                warn!(target: "process_pool", worker, "{message}");
            }),
            Item::End { task } => self.with_subscriber_of(Some(task), |_| ()),
        }
    }

    fn report_left_out(&self, worker: &Arc<Worker>, count: u64) {
        if count == 0 {
            return;
        }
        self.with_subscriber_of(None, |_| {
            let (worker, number) = (&worker.name, grouped(count));
            let message = format!(
                "dropped {number} events of worker {worker}: its tasks emit them faster than the subscriber takes them"
            );
            report_to_logger(&message);
            warn!(target: "process_pool", worker, dropped = count, "{message}");
        });
    }

    /// Runs code with the subscriber that has the spans of the task, or that of the pool, and then drops the task. A
    /// span that is closed may look for its parent in the current subscriber.
    fn with_subscriber_of<R>(&self, task: Option<Arc<TaskSpan>>, code: impl FnOnce(Option<&TaskSpan>) -> R) -> R {
        let own: Option<Dispatch> = task.as_deref().and_then(TaskSpan::dispatch);
        let run = move || code(task.as_deref());
        match own.as_ref().or(self.dispatch.as_ref()) {
            Some(dispatch) => dispatcher::with_default(dispatch, run),
            None => run(),
        }
    }
}

/// Reports to the logger what the subscriber is told, if the program has no subscriber.
fn report_to_logger(message: &str) {
    #[cfg(feature = "log")]
    if LevelFilter::current() == LevelFilter::OFF {
        log::warn!(target: "process_pool", "{message}");
    }
    #[cfg(not(feature = "log"))]
    let _ = message;
}

/// Delivers what a worker has sent, with this span as its parent. The span is made if it is needed. Returns `None` if
/// no healthy worker has sent it.
fn deliver_frame(frame: &[u8], span: impl FnOnce() -> Span, share: &Share) -> Option<()> {
    let frame = Frame::read(frame)?;
    match frame.kind {
        Kind::Event => deliver_event(&frame, span, share),
        #[cfg(feature = "log")]
        Kind::Record => deliver_record(&frame, span),
        #[cfg(not(feature = "log"))]
        Kind::Record => None,
    }
}

fn deliver_event(frame: &Frame<'_>, span: impl FnOnce() -> Span, share: &Share) -> Option<()> {
    match callsites::find(frame.callsite, share)? {
        Found::Own(site) if site.is_wanted() => {
            let metadata = site.described();
            let spans = metadata.fields().iter().position(|field| field.name() == SPANS);
            let mut values: [Option<Box<dyn field::Value + '_>>; MOST_FIELDS] = [const { None }; MOST_FIELDS];
            for (field, value) in &frame.values {
                *values.get_mut(*field)? = Some(field_of(value));
            }
            if let (Some(place), false) = (spans, frame.spans.is_empty()) {
                *values.get_mut(place)? = Some(Box::new(frame.spans));
            }
            emit(metadata, &values, &span())
        }
        Found::Shared(site) if site.is_wanted() => {
            let callsite = Callsite::read(frame.callsite)?;
            let mut values: [Option<Box<dyn field::Value + '_>>; MOST_FIELDS] = [const { None }; MOST_FIELDS];
            let mut others = Vec::new();
            for (field, value) in &frame.values {
                match *callsite.fields.get(*field)? {
                    "message" => values[0] = Some(field_of(value)),
                    name => others.push((name, value)),
                }
            }
            let text = |text: &str| -> Option<Box<dyn field::Value>> { Some(Box::new(text.to_string())) };
            values[NAME] = text(callsite.name);
            values[TARGET] = text(callsite.target);
            values[FILE] = callsite.file.and_then(text);
            values[LINE] = callsite.line.map(|line| -> Box<dyn field::Value> { Box::new(line) });
            values[MODULE_PATH] = callsite.module_path.and_then(text);
            if !others.is_empty() {
                values[FIELDS] = text(&bounded(Fields(&others), LONGEST_FIELDS));
            }
            if !frame.spans.is_empty() {
                values[FIELDS + 1] = text(frame.spans);
            }
            emit(site.described(), &values, &span())
        }
        // The subscriber's filter has changed since the worker was started, or is finer than a level.
        Found::Own(_) | Found::Shared(_) => Some(()),
    }
}

/// Emits an event. Values without a field are a contradiction.
fn emit(
    metadata: &'static Metadata<'static>,
    values: &[Option<Box<dyn field::Value + '_>>; MOST_FIELDS],
    span: &Span,
) -> Option<()> {
    let fields: Vec<field::Field> = metadata.fields().iter().collect();
    if values.iter().skip(fields.len()).any(Option::is_some) {
        return None;
    }
    // Every callsite that is made here has a field.
    let first = fields.first()?;
    // `tracing` takes an array. Where there are fewer fields, the rest has no value.
    let set: [(&field::Field, Option<&dyn field::Value>); MOST_FIELDS] = std::array::from_fn(|place| {
        (fields.get(place).unwrap_or(first), values[place].as_ref().map(|value| &**value as &dyn field::Value))
    });
    Event::child_of(span.id(), metadata, &metadata.fields().value_set(&set));
    Some(())
}

fn field_of<'a>(value: &'a Value<'_>) -> Box<dyn field::Value + 'a> {
    match value {
        Value::Debug(text) => Box::new(field::display(text)),
        Value::Text(text) => Box::new(&**text),
        Value::I64(value) => Box::new(*value),
        Value::U64(value) => Box::new(*value),
        Value::I128(value) => Box::new(*value),
        Value::U128(value) => Box::new(*value),
        Value::F64(value) => Box::new(*value),
        Value::Bool(value) => Box::new(*value),
        Value::Error(texts) => {
            let source = |source, text: &std::borrow::Cow<'_, str>| {
                Some(Box::new(RemoteError { text: text.to_string(), source }))
            };
            let error = texts.iter().rev().fold(None, source);
            match error {
                Some(error) => Box::new(error as Box<dyn Error>),
                None => Box::new(""),
            }
        }
    }
}

/// An error of a worker, with the texts of its sources.
#[derive(Debug)]
struct RemoteError {
    text: String,
    source: Option<Box<RemoteError>>,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &dyn Error)
    }
}

/// Fields as text, such as `n=3 path="a b"`.
struct Fields<'a>(&'a [(&'a str, &'a Value<'a>)]);

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.0.iter().enumerate() {
            f.write_str(if place > 0 { " " } else { "" })?;
            match value {
                Value::Debug(text) => write!(f, "{name}={text}")?,
                Value::Text(text) => write!(f, "{name}={text:?}")?,
                Value::I64(value) => write!(f, "{name}={value}")?,
                Value::U64(value) => write!(f, "{name}={value}")?,
                Value::I128(value) => write!(f, "{name}={value}")?,
                Value::U128(value) => write!(f, "{name}={value}")?,
                Value::F64(value) => write!(f, "{name}={value}")?,
                Value::Bool(value) => write!(f, "{name}={value}")?,
                Value::Error(texts) => write!(f, "{name}={}", texts.join(": "))?,
            }
        }
        Ok(())
    }
}

/// Hands a record to the logger of this program, within the span: a logger that makes events of records then gives
/// them the same parent as the task's events.
#[cfg(feature = "log")]
fn deliver_record(frame: &Frame<'_>, span: impl FnOnce() -> Span) -> Option<()> {
    let callsite = Callsite::read(frame.callsite)?;
    let [(_, Value::Debug(message))] = frame.values.as_slice() else { return None };
    let level = log::Level::iter().nth(usize::from(callsite.level).checked_sub(1)?)?;
    if level <= log::max_level() {
        span().in_scope(|| {
            log::logger().log(
                &log::Record::builder()
                    .args(format_args!("{message}"))
                    .level(level)
                    .target(callsite.target)
                    .file(callsite.file)
                    .line(callsite.line)
                    .module_path(callsite.module_path)
                    .build(),
            );
        });
    }
    Some(())
}
