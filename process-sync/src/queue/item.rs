//! Items as they lie in the ring: the length, the names of the handles if there are any, and the value.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use executor_core::{
    Error,
    codec::handles::{Handles, Name},
};

use super::{
    lane::{MOST_HANDLES, Sent},
    ring::{Ring, exponent_for},
    state::Bounds,
};
use crate::{
    errors,
    place::{Place, place},
};

/// Each item begins with its length. The highest bit says that handles belong to it.
pub(super) const HEADER: u64 = 8;
pub(super) const HAS_HANDLES: u64 = 1 << 63;
/// The ticket and the number of handles, before their names.
pub(super) const PREFIX: usize = 16;
pub(super) const NAME: usize = size_of::<Name>();

/// A ring becomes larger than this, or than so many times the item, only if no consumer makes room soon. A ring that
/// stays in the caches of the processors is much faster than one that always reaches new memory.
const ROOMY: u32 = 20;
const ROOMY_ITEMS: usize = 16;

/// An encoded value.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) handles: &'a Handles,
}

/// A message as an item of the ring.
pub(super) struct Put {
    /// How many bytes of the ring it takes.
    pub(super) size: u64,
    header: u64,
    pub(super) prefix: Option<Prefix>,
}

pub(super) struct Prefix {
    pub(super) ticket: u64,
    pub(super) bytes: Vec<u8>,
    /// What became of the handles, if the last attempt came as far as to send them.
    pub(super) sent: Cell<Option<Sent>>,
}

impl Put {
    /// Lays out a message of the process with this number.
    #[inline]
    pub(super) fn new(process: u32, bounds: Bounds, message: &Message<'_>) -> Result<Put, Error> {
        let prefix = if message.handles.is_empty() { None } else { Some(Prefix::new(process, message.handles)?) };
        let length = message.bytes.len() + prefix.as_ref().map_or(0, |prefix| prefix.bytes.len());
        let most = bounds.bytes;
        let size = size_of_item(length as u64).filter(|size| *size <= most);
        let size = size.ok_or_else(|| {
            let message =
                format!("an item of {length} bytes is more than the queue ever holds: raise max_bytes, {most}");
            errors::invalid_argument(message)
        })?;
        let header = length as u64 | if prefix.is_some() { HAS_HANDLES } else { 0 };
        Ok(Put { size, header, prefix })
    }

    /// Forgets the last attempt.
    pub(super) fn renew(&self) {
        if let Some(prefix) = &self.prefix {
            prefix.sent.set(None);
        }
    }

    /// Returns `true` if the last attempt found room for the bytes, and [none](Sent::TooMany) for the handles.
    pub(super) fn has_too_many_handles(&self) -> bool {
        self.prefix.as_ref().is_some_and(|prefix| prefix.sent.get() == Some(Sent::TooMany))
    }

    /// Returns `true` if a queue that is so full has room for it.
    pub(super) fn fits(&self, bounds: Bounds, items: u64, bytes: u64) -> bool {
        items < bounds.items && bytes.saturating_add(self.size) <= bounds.bytes
    }

    /// Returns `true` if a ring of this size still holds only a few such items, or is not large.
    pub(super) fn is_roomy(&self, exponent: u32) -> bool {
        let several = usize::try_from(self.size).ok().and_then(|size| size.checked_mul(ROOMY_ITEMS));
        exponent <= several.and_then(exponent_for).map_or(ROOMY, |several| several.max(ROOMY))
    }

    pub(super) fn write(&self, ring: Ring<'_>, at: u64, bytes: &[u8]) {
        ring.write_word(at, self.header);
        let mut at = at.wrapping_add(HEADER);
        if let Some(prefix) = &self.prefix {
            ring.write(at, &prefix.bytes);
            at = at.wrapping_add(prefix.bytes.len() as u64);
        }
        place(Place::BeforeBytes);
        ring.write(at, bytes);
    }
}

impl Prefix {
    #[cold]
    fn new(process: u32, handles: &Handles) -> Result<Prefix, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if handles.len() > MOST_HANDLES {
            let message = format!("an item with {} descriptors: at most {MOST_HANDLES} go with one", handles.len());
            return Err(errors::invalid_argument(message));
        }
        // ORDERING: the counter only has to give different numbers.
        let ticket = u64::from(process) << 32 | u64::from(COUNT.fetch_add(1, Relaxed));
        let mut bytes = [ticket.to_le_bytes(), (handles.len() as u64).to_le_bytes()].concat();
        handles.iter().for_each(|handle| bytes.extend_from_slice(&handle.name()));
        Ok(Prefix { ticket, bytes, sent: Cell::new(None) })
    }
}

/// Returns how many bytes of the ring an item of this length takes.
pub(super) fn size_of_item(length: u64) -> Option<u64> {
    length.checked_add(HEADER)?.checked_next_multiple_of(8)
}
