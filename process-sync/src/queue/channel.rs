//! What a queue does with bytes and handles: puts and gets them, and waits for that. The values are encoded and decoded
//! outside of it, and outside of the lock.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use executor_core::{
    Error, ErrorKind,
    codec::handles::{Handle, Name},
};
use serde::{Deserialize, Deserializer, Serializer};

use super::{
    item::{HAS_HANDLES, HEADER, Message, NAME, PREFIX, Put, size_of_item},
    lane::{Lane, MOST_HANDLES, Sent},
    ring::{Rings, exponent_for, file_length},
    spinning::{Follower, with_own_budget},
    state::{self, Bounds, Fill, GETTERS, JOINERS, LENGTH, PUTTERS, State},
};
use crate::{
    errors,
    object::{Kind, Object},
    sleep::EventCount,
    sys::{File, Names},
    under_way::Rests,
    waiting::{Attempt, Sleep, wait_until},
};

pub(super) static KIND: Kind = Kind {
    name: "queue",
    file: c"concurrent-futures-queue",
    length: LENGTH,
    is_mapped_whole: false,
    on_death: state::on_death,
};
pub(super) static JOINABLE_KIND: Kind = Kind {
    name: "joinable queue",
    file: c"concurrent-futures-queue",
    length: LENGTH,
    is_mapped_whole: false,
    on_death: state::on_death,
};

/// How long a producer waits for consumers, each time that the ring would become larger than is [roomy](Put::is_roomy).
const SOON: Duration = Duration::from_millis(1);

/// A ring of this size and more is given back when it is empty. A smaller one would be given back and made again each
/// time that a consumer catches up with its producer.
const LARGE: u64 = 24;

/// The files of a queue: those of every object, and both ends of the lane.
const FILES: usize = 4;
const FRONT: usize = 2;
const BACK: usize = 3;

/// A queue of bytes, and of the handles that belong to them.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) object: Arc<Object>,
    /// That of the object, at hand.
    local: Arc<Local>,
    is_joinable: bool,
}

/// What one process keeps with a queue.
#[derive(Debug)]
struct Local {
    lane: Lane,
    rings: Rings,
    bounds: Bounds,
    /// Whether an item with handles was put or gotten here.
    has_carried: AtomicBool,
}

impl Local {
    fn new(lane: Lane, bounds: Bounds) -> Local {
        Local { lane, rings: Rings::new(), bounds, has_carried: AtomicBool::new(false) }
    }
}

/// Where a get stores what it gets.
#[derive(Debug)]
pub(super) struct Received<'a> {
    pub(super) bytes: &'a mut Vec<u8>,
    /// Where the value begins in the bytes.
    pub(super) start: usize,
    /// They are kept alive until the value is decoded.
    pub(super) handles: Vec<Handle>,
}

impl<'a> Received<'a> {
    pub(super) fn into(bytes: &'a mut Vec<u8>) -> Received<'a> {
        Received { bytes, start: 0, handles: Vec::new() }
    }
}

impl Channel {
    pub(super) fn new(is_joinable: bool, content: u64, bounds: Bounds) -> Result<Channel, Error> {
        let kind = if is_joinable { &JOINABLE_KIND } else { &KIND };
        let failed = |error| errors::from_system(&format!("make a {}", kind.name), &error);
        let lane = Lane::new().map_err(failed)?;
        let length = file_length(super::ring::FIRST);
        let object = Object::create_with_file(kind, content, length, |object| bounds.set_up(object))?;
        let local = object.local(|| Arc::new(Local::new(lane, bounds))).clone();
        Ok(Channel { object, local, is_joinable })
    }

    pub(super) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (roster, lane) = (self.object.member.socket(), &self.local.lane);
        let files: [&File; FILES] = [&roster, self.object.file(), &lane.front, &lane.back];
        self.object.serialize_with(files, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        is_joinable: bool,
        content: u64,
    ) -> Result<Channel, D::Error> {
        let kind = if is_joinable { &JOINABLE_KIND } else { &KIND };
        let names: Names<FILES> = Deserialize::deserialize(deserializer)?;
        let object = Object::deserialize_with(kind, content, &names)?;
        let local = match object.known_local::<Arc<Local>>() {
            Some(local) => local.clone(),
            None => {
                let lane = Lane::received(names.file(FRONT)?, names.file(BACK)?);
                object.local(|| Arc::new(Local::new(lane, Bounds::of(&object)))).clone()
            }
        };
        Ok(Channel { object, local, is_joinable })
    }

    /// Opens the queue as another process does.
    #[cfg(fuzzing)]
    pub(super) fn reopened(&self) -> Option<Channel> {
        let object = self.object.reopened().ok()?;
        let local = object.local(|| Arc::new(Local::new(self.local.lane.clone(), Bounds::of(&object)))).clone();
        Some(Channel { object, local, is_joinable: self.is_joinable })
    }

    pub(super) fn fill(&self) -> Fill {
        Fill::of(&self.object)
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.local.bounds
    }

    /// Puts a message if there is room, and waits for that until the deadline. Returns `true` if it was put.
    pub(super) fn put(&self, message: &Message<'_>, wait: Wait) -> Result<bool, Error> {
        self.object.check()?;
        let local = &*self.local;
        let put = Put::new(self.object.member.number(), local.bounds, message)?;
        Follower::end();
        let growth = match wait {
            Wait::Not => Growth::Now,
            Wait::Until(_) => Growth::Late,
        };
        if self.try_put(local, &put, message, growth, false)?.is_some() {
            return Ok(true);
        }
        self.put_when_possible(local, &put, message, wait)
    }

    #[cold]
    fn put_when_possible(&self, local: &Local, put: &Put, message: &Message<'_>, wait: Wait) -> Result<bool, Error> {
        let Wait::Until(deadline) = wait else {
            return if put.has_too_many_handles() { Err(self.too_many_handles()) } else { Ok(false) };
        };
        let has_room = |fill: Fill| fill.is_closed || put.fits(local.bounds, fill.items, fill.bytes);
        if has_room(self.fill()) {
            self.wait_for_consumers(put.size, deadline);
        }
        let attempt = |slept| {
            put.renew();
            let done = self.try_put(local, put, message, Growth::Now, slept)?;
            if put.has_too_many_handles() {
                self.put_with_fewer(local, put, message, deadline, slept)
            } else {
                Ok(done)
            }
        };
        Ok(self.wait(PUTTERS, deadline, has_room, attempt)?.is_some())
    }

    /// Tries again for a while, in which this user may have fewer descriptors under way in other queues, pipes and
    /// programs. The limit does not change by waiting, so the end of this is an error.
    #[cold]
    fn put_with_fewer(
        &self,
        local: &Local,
        put: &Put,
        message: &Message<'_>,
        deadline: Option<Instant>,
        slept: bool,
    ) -> Result<Option<()>, Error> {
        let rests = Rests::until(deadline);
        while rests.rest() {
            put.renew();
            let done = self.try_put(local, put, message, Growth::Now, slept)?;
            if !put.has_too_many_handles() {
                return Ok(done);
            }
        }
        Err(self.too_many_handles())
    }

    #[cold]
    fn too_many_handles(&self) -> Error {
        errors::too_many_under_way(&format!("put into a {}", self.object.name()))
    }

    /// Waits for a short time until half of the ring is free. It looks without the lock, so it may miss a notification,
    /// and waits longer than needed then.
    fn wait_for_consumers(&self, size: u64, deadline: Option<Instant>) {
        let mut end = Instant::now() + SOON;
        if let Some(deadline) = deadline {
            end = end.min(deadline);
        }
        let is_half_free = || {
            let fill = self.fill();
            let half =
                u32::try_from(fill.ring).ok().and_then(|exponent| 1_u64.checked_shl(exponent)).map(|ring| ring / 2);
            fill.is_closed || half.is_some_and(|half| fill.bytes.saturating_add(size) <= half)
        };
        let mut slept = false;
        loop {
            if with_own_budget(|budget| budget.spin(is_half_free)) {
                break;
            }
            let prepared = PUTTERS.prepare(&self.object.memory);
            let left = end.saturating_duration_since(Instant::now());
            if is_half_free() || left.is_zero() {
                break;
            }
            PUTTERS.sleep(&self.object.memory, prepared, left);
            slept = true;
        }
        if slept {
            // The wake-up may have been for another producer, which waits for another reason.
            PUTTERS.notify_one(&self.object.memory);
        }
    }

    /// Gets a message if there is one, and waits for that until the deadline. Returns `false` at the deadline.
    pub(super) fn get(&self, wait: Wait, received: &mut Received<'_>) -> Result<bool, Error> {
        self.object.check()?;
        let local = &*self.local;
        let is_gotten = self.try_get(local, received, false)?;
        match wait {
            Wait::Until(deadline) if is_gotten.is_none() => self.get_when_possible(local, deadline, received),
            _ => Ok(is_gotten.is_some()),
        }
    }

    #[cold]
    fn get_when_possible(
        &self,
        local: &Local,
        deadline: Option<Instant>,
        received: &mut Received<'_>,
    ) -> Result<bool, Error> {
        let has_item = |fill: Fill| fill.is_closed || fill.items > 0;
        let gotten = self.wait(GETTERS, deadline, has_item, |slept| self.try_get(local, received, slept))?;
        Ok(gotten.is_some())
    }

    #[inline]
    fn try_put(
        &self,
        local: &Local,
        put: &Put,
        message: &Message<'_>,
        growth: Growth,
        slept: bool,
    ) -> Result<Option<()>, Error> {
        let is_put = State::change(&self.object, |state| {
            let is_put = self.put_under_lock(state, local, put, message, growth)?;
            Ok(is_put.then(|| slept && put.fits(local.bounds, state.items(), state.used())))
        })?;
        let Some(has_more_room) = is_put else { return Ok(None) };
        GETTERS.notify_one_after_lock(&self.object.memory);
        if has_more_room {
            PUTTERS.notify_one_after_lock(&self.object.memory);
        }
        Ok(Some(()))
    }

    /// Returns `true` if there was room.
    #[inline(always)]
    fn put_under_lock(
        &self,
        state: &mut State<'_, '_>,
        local: &Local,
        put: &Put,
        message: &Message<'_>,
        growth: Growth,
    ) -> Result<bool, Error> {
        if state.is_closed() {
            return Err(closed(self.object.name()));
        }
        if !put.fits(local.bounds, state.items(), state.used()) {
            return Ok(false);
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
            if growth == Growth::Late && !put.is_roomy(exponent) {
                return Ok(false);
            }
            state.set_ring(exponent);
            local.rings.grown(file, old, exponent, state.bytes()).map_err(failed)?
        };
        if let Some(prefix) = &put.prefix {
            local.has_carried.store(true, Relaxed);
            if state.items() == 0 {
                // All that the lane has is of dead processes.
                while local.lane.remove() {}
            }
            let sent = local.lane.send(prefix.ticket, message.handles).map_err(failed)?;
            prefix.sent.set(Some(sent));
            if sent != Sent::Yes {
                return Ok(false);
            }
        }
        put.write(ring, state.bytes().end, message.bytes);
        state.add(put.size, self.is_joinable);
        state.commit();
        if ring.size() != old.size() {
            old.give_back(file);
        }
        Ok(true)
    }

    #[inline]
    fn try_get(&self, local: &Local, received: &mut Received<'_>, slept: bool) -> Result<Option<()>, Error> {
        let gotten = State::change(&self.object, |state| {
            let is_gotten = self.get_under_lock(state, local, received)?;
            Ok(is_gotten.then(|| slept && state.items() > 0))
        })?;
        let Some(has_more) = gotten else { return Ok(None) };
        PUTTERS.notify_one_after_lock(&self.object.memory);
        if has_more {
            GETTERS.notify_one_after_lock(&self.object.memory);
        }
        Ok(Some(()))
    }

    /// Returns `false` if there is no item.
    #[inline(always)]
    fn get_under_lock(
        &self,
        state: &mut State<'_, '_>,
        local: &Local,
        received: &mut Received<'_>,
    ) -> Result<bool, Error> {
        if state.items() == 0 {
            if local.has_carried.load(Relaxed) {
                // All that the lane has is of dead processes. It would keep files open, such as that of a chunk, which
                // would count as sent.
                while local.lane.remove() {}
            }
            return if state.is_closed() { Err(closed(self.object.name())) } else { Ok(false) };
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
        received.bytes.clear();
        ring.read(start.wrapping_add(HEADER), length as usize, received.bytes);
        if has_handles {
            self.take_handles(local, received)?;
        }
        state.remove(size, self.is_joinable)?;
        let is_emptied = state.items() == 0 && state.ring() >= LARGE;
        if is_emptied {
            state.set_ring(super::ring::FIRST);
        }
        state.commit();
        if has_handles {
            local.lane.remove();
        }
        if is_emptied {
            ring.give_back(file);
        }
        Ok(true)
    }

    /// Receives the handles of a message.
    #[cold]
    fn take_handles(&self, local: &Local, received: &mut Received<'_>) -> Result<(), Error> {
        local.has_carried.store(true, Relaxed);
        let message = &*received.bytes;
        let overwritten = || errors::overwritten(self.object.name());
        let word = |at: usize| message.get(at..at + 8).and_then(|word| word.try_into().ok()).map(u64::from_le_bytes);
        let (ticket, count) = word(0).zip(word(8)).ok_or_else(overwritten)?;
        let count = usize::try_from(count).ok().filter(|count| *count <= MOST_HANDLES).ok_or_else(overwritten)?;
        let start = PREFIX + count * NAME;
        let names = message.get(PREFIX..start).ok_or_else(overwritten)?.chunks_exact(NAME);
        let names: Vec<Name> = names.map(|name| name.try_into().expect("a chunk has this length")).collect();
        received.handles = local.lane.look(ticket, &names).map_err(|error| self.failed("get from", &error))?;
        received.start = start;
        Ok(())
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
        State::change(&self.object, |state| {
            state.close();
            state.commit();
            Ok(())
        })?;
        for events in [GETTERS, PUTTERS] {
            events.notify_all(&self.object.memory);
        }
        Ok(())
    }

    /// Finishes an item that was taken. Returns `true` if there was one.
    pub(super) fn finish(&self) -> Result<bool, Error> {
        self.object.check()?;
        let (is_taken, is_last) = State::change(&self.object, |state| {
            let is_taken = state.finish();
            state.commit();
            Ok((is_taken, state.unfinished() == 0))
        })?;
        if is_last {
            JOINERS.notify_all(&self.object.memory);
        }
        Ok(is_taken)
    }

    /// Waits until all items are finished or lost, and returns how many are lost, once. Returns `None` at the deadline.
    pub(super) fn join(&self, deadline: Option<Instant>) -> Result<Option<u64>, Error> {
        self.object.check()?;
        wait_until(&self.object, JOINERS, Sleep::for_holder(), deadline, |attempt| {
            State::change(&self.object, |state| {
                let mut is_changed = attempt == Attempt::BeforeSleep && state.sweep() > 0;
                let lost = (state.unfinished() == 0).then(|| state.take_lost());
                is_changed |= lost.is_some_and(|lost| lost > 0);
                if is_changed {
                    state.commit();
                }
                Ok(lost)
            })
        })
    }

    /// Repeats an attempt until it returns something: spins, then sleeps. Returns `None` at the deadline.
    fn wait<R>(
        &self,
        events: EventCount,
        deadline: Option<Instant>,
        is_ready: impl Fn(Fill) -> bool,
        mut attempt: impl FnMut(bool) -> Result<Option<R>, Error>,
    ) -> Result<Option<R>, Error> {
        let mut sleep = Sleep::ForChange;
        let mut slept = false;
        // After a sleep to its end nothing is about to happen.
        let mut is_soon = true;
        loop {
            let found = is_soon && Follower::spin(|| is_ready(self.fill()));
            if let Some(result) = if found { attempt(slept)? } else { None } {
                return Ok(Some(result));
            }
            let prepared = events.prepare(&self.object.memory);
            if let Some(result) = attempt(slept)? {
                return Ok(Some(result));
            }
            let Some(time) = sleep.next(deadline) else { return Ok(None) };
            let asleep = Instant::now();
            events.sleep(&self.object.memory, prepared, time);
            let asleep = asleep.elapsed();
            with_own_budget(|budget| budget.slept(asleep));
            (slept, is_soon) = (true, asleep < time);
        }
    }
}

/// How long a call waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    Not,
    Until(Option<Instant>),
}

/// Whether a put makes a larger ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    /// Only up to a size that is [roomy](Put::is_roomy).
    Late,
    Now,
}

#[cold]
fn closed(queue: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("the {queue} is closed"))
}
