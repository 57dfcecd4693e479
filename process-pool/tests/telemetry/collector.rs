//! A subscriber and a logger that record everything.

use std::{
    error::Error,
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tracing::{
    Dispatch, Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// An event, as the subscriber has seen it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub level: Level,
    pub target: String,
    pub name: String,
    pub place: Option<(String, u32)>,
    pub module_path: Option<String>,
    /// The message.
    pub message: String,
    /// The other fields, each with its type.
    pub fields: Vec<String>,
    /// The spans around it, from the outermost one on, with their fields.
    pub scope: Vec<String>,
    /// The address of its metadata, which tells callsites apart.
    pub callsite: usize,
}

/// Records events. It may wait in each one, or panic.
#[derive(Clone, Default)]
pub struct Collector {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// While a test holds it, every event of a task waits.
    pub gate: Arc<Mutex<()>>,
    open_spans: Arc<AtomicUsize>,
    /// Whether nothing is kept of an event but that there was one.
    counts_only: bool,
    count: Arc<AtomicUsize>,
}

impl Collector {
    /// Makes one that keeps nothing of an event but that there was one.
    pub fn that_counts() -> Collector {
        Collector { counts_only: true, ..Collector::default() }
    }

    /// Runs a test with this as its subscriber.
    pub fn with<R>(&self, test: impl FnOnce() -> R) -> R {
        tracing::dispatcher::with_default(&Dispatch::new(Registry::default().with(self.clone())), test)
    }

    /// Returns the events of tasks: all but those of the pool itself.
    pub fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|event| event.target != "process_pool").cloned().collect()
    }

    /// Returns the messages of the events of tasks.
    pub fn messages(&self) -> Vec<String> {
        self.seen().into_iter().map(|event| event.message).collect()
    }

    /// Returns the warnings of the pool itself.
    pub fn warnings(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|event| event.target == "process_pool" && event.level == Level::WARN).cloned().collect()
    }

    /// Returns how many spans are open.
    pub fn open_spans(&self) -> usize {
        self.open_spans.load(SeqCst)
    }

    /// Returns how many events of tasks were delivered.
    pub fn count(&self) -> usize {
        self.count.load(SeqCst)
    }
}

/// Returns how many events were reported as dropped.
pub fn dropped(collector: &Collector) -> usize {
    let fields = collector.warnings().into_iter().flat_map(|event| event.fields);
    fields.filter_map(|field| field.strip_prefix("dropped=u64 ").map(|count| count.parse::<usize>().unwrap())).sum()
}

/// Makes text of fields, with their types.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<String>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.others.push(format!("{}={value}", field.name()));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format!("str {value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, format!("i64 {value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, format!("u64 {value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.add(field, format!("i128 {value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, format!("f64 {value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, format!("bool {value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = format!("error {value}");
        let mut next = value.source();
        while let Some(source) = next {
            write!(text, " < {source}").unwrap();
            next = source.source();
        }
        self.add(field, text);
    }
}

/// What is kept of a span.
struct Shown(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let text = format!("{}{{{}}}", attributes.metadata().name(), fields.others.join(" "));
        context.span(id).unwrap().extensions_mut().insert(Shown(text));
        self.open_spans.fetch_add(1, SeqCst);
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        self.open_spans.fetch_sub(1, SeqCst);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() != "process_pool" {
            drop(self.gate.lock());
            self.count.fetch_add(1, SeqCst);
            if self.counts_only {
                return;
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope = context
            .event_scope(event)
            .map(|scope| scope.from_root().map(|span| span.extensions().get::<Shown>().unwrap().0.clone()).collect());
        let panics = fields.message == "the subscriber fails at this";
        self.seen.lock().unwrap().push(Seen {
            level: *metadata.level(),
            target: metadata.target().to_string(),
            name: metadata.name().to_string(),
            place: metadata.file().map(String::from).zip(metadata.line()),
            module_path: metadata.module_path().map(String::from),
            message: fields.message,
            fields: fields.others,
            scope: scope.unwrap_or_default(),
            callsite: std::ptr::from_ref(metadata).addr(),
        });
        assert!(!panics, "a subscriber that fails");
    }
}

/// A record, as the logger has seen it, and the span that was current then.
#[derive(Clone, Debug)]
pub struct SeenRecord {
    pub level: log::Level,
    pub target: String,
    pub message: String,
    pub place: Option<(String, u32)>,
    pub span: Option<&'static str>,
}

/// A logger that records everything.
pub struct Logger(pub Mutex<Vec<SeenRecord>>);

pub static LOGGER: Logger = Logger(Mutex::new(Vec::new()));

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(SeenRecord {
            level: record.level(),
            target: record.target().to_string(),
            message: record.args().to_string(),
            place: record.file().map(String::from).zip(record.line()),
            span: tracing::Span::current().metadata().map(|metadata| metadata.name()),
        });
    }

    fn flush(&self) {}
}
