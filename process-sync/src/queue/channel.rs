//! What a queue does with bytes and handles: puts and gets them, and waits for that. The values are encoded and decoded
//! outside of it, and outside of the lock.

use std::{
    cell::Cell,
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Instant,
};

use executor_core::{
    Error, ErrorKind,
    codec::handles::{Handle, Handles, Name},
    spin::SpinBudget,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    lane::{Lane, MOST_HANDLES},
    ring::{Ring, Rings, exponent_for, file_length},
    state::{Bounds, Fill, GETTERS, JOINERS, LENGTH, PUTTERS, State},
};
use crate::{
    errors,
    object::{Kind, Object},
    place::{Place, place},
    sleep::EventCount,
    waiting::{Attempt, Sleep, wait_until},
};

pub(super) static KIND: Kind =
    Kind { name: "queue", file: c"concurrent-futures-queue", length: LENGTH, is_mapped_whole: false };
pub(super) static JOINABLE_KIND: Kind =
    Kind { name: "joinable queue", file: c"concurrent-futures-queue", length: LENGTH, is_mapped_whole: false };

/// Each item begins with its length. The highest bit says that handles belong to it.
const HEADER: u64 = 8;
const HAS_HANDLES: u64 = 1 << 63;
/// The ticket and the number of handles, before their names.
const PREFIX: usize = 16;
const NAME: usize = size_of::<Name>();

/// A ring of this size and more is given back when it is empty. A smaller one would be given back and made again each
/// time that a consumer catches up with its producer.
const LARGE: u64 = 24;

/// A queue of bytes, and of the handles that belong to them.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) object: Arc<Object>,
    is_joinable: bool,
}

/// What one process keeps with a queue.
#[derive(Debug)]
struct Local {
    lane: Lane,
    rings: Rings,
    bounds: Bounds,
}

/// An encoded value.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) handles: &'a Handles,
}

/// What a get returns besides the bytes. It keeps the handles alive until the value is decoded.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Where the value begins in the bytes.
    pub(super) start: usize,
    pub(super) handles: Vec<Handle>,
}

impl Channel {
    pub(super) fn new(is_joinable: bool, content: u64, bounds: Bounds) -> Result<Channel, Error> {
        let kind = if is_joinable { &JOINABLE_KIND } else { &KIND };
        let failed = |error| errors::from_system(&format!("make a {}", kind.name), &error);
        let lane = Lane::new().map_err(failed)?;
        let length = file_length(super::ring::FIRST);
        let object = Object::create_with_file(kind, content, length, |object| bounds.set_up(object))?;
        object.local(|| Local { lane, rings: Rings::new(), bounds });
        Ok(Channel { object, is_joinable })
    }

    pub(super) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lane = &self.local().lane;
        (&*self.object, &lane.front, &lane.back).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        is_joinable: bool,
        content: u64,
    ) -> Result<Channel, D::Error> {
        let kind = if is_joinable { &JOINABLE_KIND } else { &KIND };
        let (parts, front, back) = Deserialize::deserialize(deserializer)?;
        let object = Object::open(kind, content, parts).map_err(serde::de::Error::custom)?;
        let bounds = Bounds::of(&object);
        object.local(|| Local { lane: Lane::received(front, back), rings: Rings::new(), bounds });
        Ok(Channel { object, is_joinable })
    }

    fn local(&self) -> &Local {
        self.object.local(|| unreachable!("it is made with the channel"))
    }

    pub(super) fn fill(&self) -> Fill {
        Fill::of(&self.object)
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.local().bounds
    }

    /// Puts a message if there is room, and waits for that until the deadline. Returns `true` if it was put.
    pub(super) fn put(&self, message: &Message<'_>, wait: Wait) -> Result<bool, Error> {
        self.object.check()?;
        let put = Put::new(self, message)?;
        let has_room = |fill: Fill| fill.is_closed || put.fits(self.bounds(), fill.items, fill.bytes);
        let done = self.wait(PUTTERS, wait, has_room, |slept| self.try_put(&put, message, slept))?;
        Ok(done.is_some())
    }

    /// Gets a message if there is one, and waits for that until the deadline. Returns `None` at the deadline.
    pub(super) fn get(&self, wait: Wait, into: &mut Vec<u8>) -> Result<Option<Received>, Error> {
        self.object.check()?;
        let has_item = |fill: Fill| fill.is_closed || fill.items > 0;
        self.wait(GETTERS, wait, has_item, |slept| self.try_get(into, slept))
    }

    fn try_put(&self, put: &Put, message: &Message<'_>, slept: bool) -> Result<Option<()>, Error> {
        let local = self.local();
        let mut state = State::open(&self.object)?;
        if state.is_closed() {
            return Err(closed(self.object.name()));
        }
        if !put.fits(local.bounds, state.items(), state.used()) {
            return Ok(None);
        }
        let failed = |error: io::Error| self.failed("put into", &error);
        let file = self.object.file();
        let old = local.rings.ring(file, state.ring()).map_err(failed)?;
        let needed = state.used() + put.size;
        let ring = if needed <= old.size() as u64 {
            old
        } else {
            let exponent = usize::try_from(needed).ok().and_then(exponent_for);
            let exponent = exponent.ok_or_else(|| failed(io::ErrorKind::OutOfMemory.into()))?;
            state.set_ring(exponent);
            local.rings.grown(file, old, exponent, state.bytes()).map_err(failed)?
        };
        if let Some(prefix) = &put.prefix {
            if state.items() == 0 {
                // All that the lane has is of dead processes.
                while local.lane.remove() {}
            }
            if !local.lane.send(prefix.ticket, message.handles).map_err(failed)? {
                return Ok(None);
            }
        }
        put.write(ring, state.bytes().end, message.bytes);
        place(Place::BeforeCommit);
        state.add(put.size, self.is_joinable);
        state.commit();
        place(Place::AfterCommit);
        if ring.size() != old.size() {
            old.give_back(file);
        }
        let has_more_room = slept && put.fits(local.bounds, state.items(), state.used());
        drop(state);
        place(Place::BeforeNotification);
        GETTERS.notify_one(&self.object.memory);
        if has_more_room {
            PUTTERS.notify_one(&self.object.memory);
        }
        Ok(Some(()))
    }

    fn try_get(&self, into: &mut Vec<u8>, slept: bool) -> Result<Option<Received>, Error> {
        let local = self.local();
        let mut state = State::open(&self.object)?;
        if state.items() == 0 {
            return if state.is_closed() { Err(closed(self.object.name())) } else { Ok(None) };
        }
        let failed = |error: io::Error| self.failed("get from", &error);
        let file = self.object.file();
        let ring = local.rings.ring(file, state.ring()).map_err(failed)?;
        let start = state.bytes().start;
        let header = ring.read_word(start);
        let (has_handles, length) = (header & HAS_HANDLES != 0, header & !HAS_HANDLES);
        // The ring has no more bytes than `usize` can count.
        let size = size_of_item(length).filter(|size| *size <= state.used());
        let size = size.ok_or_else(|| errors::overwritten(self.object.name()))?;
        into.clear();
        ring.read(start.wrapping_add(HEADER), length as usize, into);
        let received = if has_handles { self.handles(&local.lane, into)? } else { Received::default() };
        place(Place::BeforeCommit);
        state.remove(size, self.is_joinable)?;
        let is_emptied = state.items() == 0 && state.ring() >= LARGE;
        if is_emptied {
            state.set_ring(super::ring::FIRST);
        }
        state.commit();
        place(Place::AfterCommit);
        if has_handles {
            local.lane.remove();
        }
        if is_emptied {
            ring.give_back(file);
        }
        let has_more = slept && state.items() > 0;
        drop(state);
        place(Place::BeforeNotification);
        PUTTERS.notify_one(&self.object.memory);
        if has_more {
            GETTERS.notify_one(&self.object.memory);
        }
        Ok(Some(received))
    }

    /// Receives the handles of a message.
    #[cold]
    fn handles(&self, lane: &Lane, message: &[u8]) -> Result<Received, Error> {
        let overwritten = || errors::overwritten(self.object.name());
        let word = |at: usize| message.get(at..at + 8).and_then(|word| word.try_into().ok()).map(u64::from_le_bytes);
        let (ticket, count) = word(0).zip(word(8)).ok_or_else(overwritten)?;
        let count = usize::try_from(count).ok().filter(|count| *count <= MOST_HANDLES).ok_or_else(overwritten)?;
        let start = PREFIX + count * NAME;
        let names = message.get(PREFIX..start).ok_or_else(overwritten)?.chunks_exact(NAME);
        let names: Vec<Name> = names.map(|name| name.try_into().expect("a chunk has this length")).collect();
        let handles = lane.look(ticket, &names).map_err(|error| self.failed("get from", &error))?;
        Ok(Received { start, handles })
    }

    #[cold]
    fn failed(&self, what: &str, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::InvalidData => errors::overwritten(self.object.name()),
            _ => errors::from_system(&format!("{what} a {}", self.object.name()), error),
        }
    }

    pub(super) fn close(&self) -> Result<(), Error> {
        self.object.check()?;
        let mut state = State::open(&self.object)?;
        state.close();
        state.commit();
        drop(state);
        for events in [GETTERS, PUTTERS] {
            events.notify_all(&self.object.memory);
        }
        Ok(())
    }

    /// Finishes an item that was taken. Returns `true` if there was one.
    pub(super) fn finish(&self) -> Result<bool, Error> {
        self.object.check()?;
        let mut state = State::open(&self.object)?;
        let is_taken = state.finish();
        state.commit();
        let is_last = state.unfinished() == 0;
        drop(state);
        if is_last {
            JOINERS.notify_all(&self.object.memory);
        }
        Ok(is_taken)
    }

    /// Waits until all items are finished or lost, and returns how many are lost, once. Returns `None` at the deadline.
    pub(super) fn join(&self, deadline: Option<Instant>) -> Result<Option<u64>, Error> {
        self.object.check()?;
        wait_until(&self.object, JOINERS, Sleep::for_holder(), deadline, |attempt| {
            let mut state = State::open(&self.object)?;
            let mut is_changed = attempt == Attempt::BeforeSleep && state.sweep() > 0;
            let lost = (state.unfinished() == 0).then(|| state.take_lost());
            is_changed |= lost.is_some_and(|lost| lost > 0);
            if is_changed {
                state.commit();
            }
            Ok(lost)
        })
    }

    /// Repeats an attempt until it returns something: spins, then sleeps.
    fn wait<R>(
        &self,
        events: EventCount,
        wait: Wait,
        is_ready: impl Fn(Fill) -> bool,
        mut attempt: impl FnMut(bool) -> Result<Option<R>, Error>,
    ) -> Result<Option<R>, Error> {
        if let Some(result) = attempt(false)? {
            return Ok(Some(result));
        }
        let Wait::Until(deadline) = wait else { return Ok(None) };
        let mut sleep = Sleep::ForChange;
        let mut slept = false;
        loop {
            let found = with_own_budget(|budget| budget.spin(|| is_ready(self.fill())));
            if let Some(result) = if found { attempt(slept)? } else { None } {
                return Ok(Some(result));
            }
            let prepared = events.prepare(&self.object.memory);
            if let Some(result) = attempt(slept)? {
                return Ok(Some(result));
            }
            let Some(time) = sleep.next(deadline) else { return Ok(None) };
            place(Place::BeforeSleep);
            let asleep = Instant::now();
            events.sleep(&self.object.memory, prepared, time);
            with_own_budget(|budget| budget.slept(asleep.elapsed()));
            slept = true;
        }
    }
}

/// How long a call waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    Not,
    Until(Option<Instant>),
}

/// A message as an item of the ring.
struct Put {
    /// How many bytes of the ring it takes.
    size: u64,
    header: u64,
    prefix: Option<Prefix>,
}

struct Prefix {
    ticket: u64,
    bytes: Vec<u8>,
}

impl Put {
    fn new(channel: &Channel, message: &Message<'_>) -> Result<Put, Error> {
        let prefix = if message.handles.is_empty() { None } else { Some(Prefix::new(channel, message.handles)?) };
        let length = message.bytes.len() + prefix.as_ref().map_or(0, |prefix| prefix.bytes.len());
        let most = channel.bounds().bytes;
        let size = size_of_item(length as u64).filter(|size| *size <= most);
        let size = size.ok_or_else(|| {
            let message =
                format!("an item of {length} bytes is more than the queue ever holds: raise max_bytes, {most}");
            errors::invalid_argument(message)
        })?;
        let header = length as u64 | if prefix.is_some() { HAS_HANDLES } else { 0 };
        Ok(Put { size, header, prefix })
    }

    /// Returns `true` if a queue that is so full has room for it.
    fn fits(&self, bounds: Bounds, items: u64, bytes: u64) -> bool {
        items < bounds.items && bytes.saturating_add(self.size) <= bounds.bytes
    }

    fn write(&self, ring: Ring<'_>, at: u64, bytes: &[u8]) {
        ring.write(at, &self.header.to_le_bytes());
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
    fn new(channel: &Channel, handles: &Handles) -> Result<Prefix, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if handles.len() > MOST_HANDLES {
            let message = format!("an item with {} descriptors: at most {MOST_HANDLES} go with one", handles.len());
            return Err(errors::invalid_argument(message));
        }
        // ORDERING: the counter only has to give different numbers.
        let ticket = u64::from(channel.object.member.number()) << 32 | u64::from(COUNT.fetch_add(1, Relaxed));
        let mut bytes = [ticket.to_le_bytes(), (handles.len() as u64).to_le_bytes()].concat();
        handles.iter().for_each(|handle| bytes.extend_from_slice(&handle.name()));
        Ok(Prefix { ticket, bytes })
    }
}

/// Returns how many bytes of the ring an item of this length takes.
fn size_of_item(length: u64) -> Option<u64> {
    length.checked_add(HEADER)?.checked_next_multiple_of(8)
}

#[cold]
fn closed(queue: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("the {queue} is closed"))
}

/// Calls `wait` with the spin budget of the calling thread, which it has for all queues.
fn with_own_budget<R>(wait: impl FnOnce(&mut SpinBudget) -> R) -> R {
    thread_local! {
        static BUDGET: Cell<SpinBudget> = const { Cell::new(SpinBudget::new()) };
    }
    let mut budget = BUDGET.get();
    let waited = wait(&mut budget);
    BUDGET.set(budget);
    waited
}
