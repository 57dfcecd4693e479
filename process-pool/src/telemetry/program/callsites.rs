//! Callsites of workers as callsites of this program.
//!
//! `tracing` wants callsites that live for ever, so each one is made once and kept. A worker may invent as many as it
//! likes. So they are bounded for the whole program, and a pool may make only as many as it leaves for others. Beyond
//! that, all events of a level share one callsite, and have the constant part as fields.

use std::{
    collections::HashMap,
    sync::{
        OnceLock,
        atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed},
    },
};

use executor_core::boundary;
use parking_lot::Mutex;
use tracing::{Metadata, subscriber::Interest};
use tracing_core::{
    callsite::{self, Callsite as Registered},
    field::FieldSet,
    identify_callsite,
    metadata::Kind,
};

use super::super::{
    levels,
    wire::{Callsite, MOST_FIELDS},
};

/// The most callsites that are kept, and the most bytes that they were made of. The first pool may use half of it.
const MOST: usize = 2048;
const MOST_BYTES: usize = 1 << 20;

/// The field with the spans that an event was in, in its worker.
pub(super) const SPANS: &str = "worker.spans";

/// The fields of the callsites that many share.
const SHARED_FIELDS: &[&str] =
    &["message", "event.name", "event.target", "event.file", "event.line", "event.module_path", "event.fields", SPANS];

/// The places of those that are not the message.
pub(super) const NAME: usize = 1;
pub(super) const TARGET: usize = 2;
pub(super) const FILE: usize = 3;
pub(super) const LINE: usize = 4;
pub(super) const MODULE_PATH: usize = 5;
pub(super) const FIELDS: usize = 6;

/// The target of the callsites that many share.
const SHARED_TARGET: &str = "process_pool::event";

/// A callsite that stands for one of a worker.
pub(super) struct Site {
    /// The interest that the subscribers have last registered.
    interest: AtomicU8,
    metadata: OnceLock<Metadata<'static>>,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

/// Where an event of a worker goes.
pub(super) enum Found {
    /// To a callsite like that of the worker.
    Own(&'static Site),
    /// To the one of its level that many share.
    Shared(&'static Site),
}

#[derive(Default)]
struct Sites {
    found: HashMap<Box<[u8]>, &'static Site>,
    bytes: usize,
}

/// How many callsites a pool has made, and of how many bytes. They change under the lock of all callsites.
#[derive(Default)]
pub(super) struct Share {
    made: AtomicUsize,
    bytes: AtomicUsize,
}

impl Share {
    /// Takes space for a callsite, if the pool may have it.
    fn take(&self, sites: &mut Sites, bytes: usize) -> bool {
        // ORDERING: both are read and written under the lock of all callsites.
        let (made, made_of) = (self.made.load(Relaxed) + 1, self.bytes.load(Relaxed) + bytes);
        let is_left = made <= MOST - sites.found.len() && made_of <= MOST_BYTES - sites.bytes;
        if is_left {
            self.made.store(made, Relaxed);
            self.bytes.store(made_of, Relaxed);
            sites.bytes += bytes;
        }
        is_left
    }
}

static SITES: OnceLock<Mutex<Sites>> = OnceLock::new();

/// Returns the callsite for one of a worker, which these bytes describe. Returns `None` if no healthy worker has sent
/// them. `share` is that of the worker's pool. This may call the subscriber.
pub(super) fn find(bytes: &[u8], share: &Share) -> Option<Found> {
    let sites = SITES.get_or_init(Mutex::default);
    if let Some(site) = sites.lock().found.get(bytes) {
        return Some(Found::Own(site));
    }
    let callsite = Callsite::read(bytes)?;
    let mut guard = sites.lock();
    if let Some(site) = guard.found.get(bytes) {
        return Some(Found::Own(site));
    }
    if !share.take(&mut guard, bytes.len()) {
        drop(guard);
        return Some(Found::Shared(shared(callsite.level)?));
    }
    let site = make(&callsite)?;
    guard.found.insert(bytes.into(), site);
    drop(guard);
    // Another thread may use it before it is registered, and then asks the subscriber about each event.
    callsite::register(site);
    Some(Found::Own(site))
}

/// Returns the callsite of a level that many share.
fn shared(level: u8) -> Option<&'static Site> {
    static SHARED: [OnceLock<&Site>; 5] = [const { OnceLock::new() }; 5];
    let place = SHARED.get(usize::from(level).checked_sub(1)?)?;
    if let Some(site) = place.get() {
        return Some(site);
    }
    let level = levels::level_of(level)?;
    let mut is_new = false;
    let site = place.get_or_init(|| {
        is_new = true;
        leak(
            |fields| Metadata::new("event", SHARED_TARGET, level, None, None, None, fields, Kind::EVENT),
            SHARED_FIELDS,
        )
    });
    if is_new {
        callsite::register(*site);
    }
    Some(site)
}

fn make(callsite: &Callsite<'_>) -> Option<&'static Site> {
    let level = levels::level_of(callsite.level)?;
    // The field with the spans comes last, if there is space for it.
    let spans = (callsite.fields.len() < MOST_FIELDS).then_some(SPANS);
    let names: Vec<&'static str> = callsite.fields.iter().map(|name| keep(name)).chain(spans).collect();
    let (name, target) = (keep(callsite.name), keep(callsite.target));
    let (file, module_path) = (callsite.file.map(keep), callsite.module_path.map(keep));
    let line = callsite.line;
    Some(leak(
        |fields| Metadata::new(name, target, level, file, line, module_path, fields, Kind::EVENT),
        Box::leak(names.into()),
    ))
}

fn leak(metadata: impl FnOnce(FieldSet) -> Metadata<'static>, names: &'static [&'static str]) -> &'static Site {
    let site: &'static Site =
        Box::leak(Box::new(Site { interest: AtomicU8::new(SOMETIMES), metadata: OnceLock::new() }));
    site.metadata.get_or_init(|| metadata(FieldSet::new(names, identify_callsite!(site))));
    site
}

/// Keeps a text for ever, with its control characters escaped: subscribers print names as they are.
fn keep(text: &str) -> &'static str {
    let text = if text.contains(char::is_control) {
        text.chars()
            .flat_map(|character| {
                let escapes = character.is_control();
                let escaped = escapes.then(|| character.escape_default());
                escaped.into_iter().flatten().chain((!escapes).then_some(character))
            })
            .collect()
    } else {
        text.to_string()
    };
    // Escaping makes a text at most six times as long.
    Box::leak(text[..boundary::floor(&text, 1024)].into())
}

impl Registered for Site {
    fn set_interest(&self, interest: Interest) {
        let interest = match () {
            () if interest.is_never() => NEVER,
            () if interest.is_always() => ALWAYS,
            () => SOMETIMES,
        };
        // ORDERING: the interest publishes nothing. One that is out of date is asked for again when it is rebuilt.
        self.interest.store(interest, Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        self.described()
    }
}

impl Site {
    pub(super) fn described(&'_ self) -> &'_ Metadata<'static> {
        self.metadata.get().unwrap_or_else(|| unreachable!("a callsite is described before it is shown to anyone"))
    }

    /// Returns `true` if the current subscriber wants this event. This calls the subscriber.
    pub(super) fn is_wanted(&self) -> bool {
        let metadata = self.described();
        // ORDERING: as in `set_interest`.
        *metadata.level() <= tracing::level_filters::LevelFilter::current()
            && match self.interest.load(Relaxed) {
                NEVER => false,
                ALWAYS => true,
                _ => tracing::dispatcher::get_default(|dispatch| dispatch.enabled(metadata)),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::wire::{Frame, HEAD, Kind as WireKind, Writer};

    fn bytes_of(name: &str, fields: Vec<&str>) -> Vec<u8> {
        let (file, line, module_path) = (Some("a.rs"), Some(3), Some("app"));
        let callsite = Callsite { level: 2, name, target: "app\u{1b}[2J", file, line, module_path, fields };
        let frame = Writer::new(WireKind::Event, 0, &callsite, "").finish();
        Frame::read(&frame[HEAD..]).expect("a frame").callsite.to_vec()
    }

    #[test]
    fn a_callsite_is_made_once_and_invented_ones_are_bounded() {
        let share = Share::default();
        let find = |bytes: &[u8]| super::find(bytes, &share);
        let bytes = bytes_of("event a.rs:3", vec!["message", "n"]);
        let (Some(Found::Own(site)), Some(Found::Own(again))) = (find(&bytes), find(&bytes)) else {
            panic!("there is space")
        };
        assert!(std::ptr::eq(site, again));
        let metadata = site.described();
        assert_eq!((metadata.name(), *metadata.level()), ("event a.rs:3", tracing::Level::WARN));
        assert_eq!(metadata.target(), "app\\u{1b}[2J");
        assert_eq!((metadata.file(), metadata.line(), metadata.module_path()), (Some("a.rs"), Some(3), Some("app")));
        let fields: Vec<&str> = metadata.fields().iter().map(|field| field.name()).collect();
        assert_eq!(fields, ["message", "n", SPANS]);

        let invented = (0..100_000).map(|number| bytes_of(&format!("invented {number}"), vec!["message"]));
        let own = invented.filter(|bytes| matches!(find(bytes), Some(Found::Own(_)))).count();
        assert!(own <= MOST / 2);
        let sites = SITES.get().expect("made").lock();
        assert!(sites.found.len() <= MOST && sites.bytes <= MOST_BYTES);
        drop(sites);
        // What is known is found although there is no more space.
        assert!(matches!(find(&bytes), Some(Found::Own(_))));
        let Some(Found::Shared(shared)) = find(&bytes_of("one more", Vec::new())) else { panic!("no more space") };
        let shared = shared.described();
        assert_eq!((shared.target(), *shared.level()), (SHARED_TARGET, tracing::Level::WARN));
        let fields = shared.fields();
        assert_eq!(fields.iter().nth(TARGET).map(|field| field.name()), Some("event.target"));
        assert_eq!(fields.iter().nth(FIELDS).map(|field| field.name()), Some("event.fields"));
        // Another pool has space.
        let other = super::find(&bytes_of("of another pool", Vec::new()), &Share::default());
        assert!(matches!(other, Some(Found::Own(_))));
    }

    #[test]
    fn what_is_no_callsite_is_refused() {
        let share = Share::default();
        assert!(find(b"", &share).is_none() && find(&[9; 40], &share).is_none());
    }
}
