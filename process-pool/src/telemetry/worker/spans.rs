//! The spans that are open in this worker. They stay here: an event takes their names and fields along as text.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;
use tracing::Metadata;

use super::super::wire::{Bounded, LONGEST_SPANS};

/// The longest text of one span.
const LONGEST: usize = 512;

thread_local! {
    /// The spans that this thread has entered and not exited, with the innermost one last.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// See the [module](self).
pub(super) struct Spans {
    last: AtomicU64,
    open: Mutex<HashMap<u64, Open>>,
}

struct Open {
    metadata: &'static Metadata<'static>,
    /// The fields as text, without the braces.
    fields: String,
    parent: Option<u64>,
    /// How many handles and children it has.
    references: usize,
}

impl Spans {
    pub(super) fn new() -> Spans {
        Spans { last: AtomicU64::new(0), open: Mutex::default() }
    }

    /// Opens a span with one handle.
    pub(super) fn open(&self, metadata: &'static Metadata<'static>, fields: String, parent: Option<u64>) -> u64 {
        // ORDERING: the numbers only have to be different.
        let id = self.last.fetch_add(1, Relaxed) + 1;
        let mut open = self.open.lock();
        let parent = parent.filter(|parent| open.get_mut(parent).map(|open| open.references += 1).is_some());
        open.insert(id, Open { metadata, fields, parent, references: 1 });
        id
    }

    /// Adds fields to a span.
    pub(super) fn add(&self, id: u64, fields: &str) {
        if let Some(open) = self.open.lock().get_mut(&id) {
            if open.fields.len() + fields.len() < LONGEST {
                open.fields.push_str(if open.fields.is_empty() { "" } else { " " });
                open.fields.push_str(fields);
            }
        }
    }

    pub(super) fn acquire(&self, id: u64) {
        if let Some(open) = self.open.lock().get_mut(&id) {
            open.references += 1;
        }
    }

    /// Drops a handle. Returns `true` if the span is closed.
    pub(super) fn release(&self, id: u64) -> bool {
        let mut spans = self.open.lock();
        let (mut next, mut is_closed) = (Some(id), false);
        while let Some(id) = next.take() {
            let Some(open) = spans.get_mut(&id) else { break };
            open.references -= 1;
            if open.references == 0 {
                is_closed = true;
                next = spans.remove(&id).and_then(|open| open.parent);
            }
        }
        is_closed
    }

    /// Returns the innermost span of this thread.
    pub(super) fn current(&self) -> Option<(u64, &'static Metadata<'static>)> {
        let id = current()?;
        self.open.lock().get(&id).map(|open| (id, open.metadata))
    }

    /// Returns a span and those around it as text, from the outermost one on, such as `request{id=7}:parse`.
    pub(super) fn text(&self, innermost: Option<u64>) -> String {
        use std::fmt::Write as _;
        let Some(innermost) = innermost else { return String::new() };
        let spans = self.open.lock();
        let mut around = Vec::new();
        let mut next = spans.get(&innermost);
        while let Some(open) = next {
            around.push(open);
            next = open.parent.and_then(|parent| spans.get(&parent));
        }
        let mut text = Bounded::new(LONGEST_SPANS);
        for (place, open) in around.iter().rev().enumerate() {
            let separator = if place > 0 { ":" } else { "" };
            // The text takes everything, and the parts are texts too, so no error is possible.
            let _ = match open.fields.as_str() {
                "" => write!(text, "{separator}{}", open.metadata.name()),
                fields => write!(text, "{separator}{}{{{fields}}}", open.metadata.name()),
            };
        }
        text.finish()
    }
}

/// Returns text for the fields of a span, which grows no longer than the span keeps.
pub(super) fn fields() -> Bounded {
    Bounded::new(LONGEST)
}

/// Returns the number of the innermost span of this thread.
pub(super) fn current() -> Option<u64> {
    ENTERED.try_with(|entered| entered.borrow().last().copied()).ok().flatten()
}

pub(super) fn enter(id: u64) {
    // An error means that the thread is about to end.
    let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(id));
}

pub(super) fn exit(id: u64) {
    let _ = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        // A future may exit spans in another order than that in which they were entered.
        if let Some(at) = entered.iter().rposition(|other| *other == id) {
            entered.remove(at);
        }
    });
}
