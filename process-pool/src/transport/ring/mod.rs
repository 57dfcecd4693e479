//! The link through shared memory: a ring for each direction, and a word for each task in the worker's hands.
//!
//! While both sides are awake no system call is made. A side that finds nothing to do says so in a flag, looks once
//! more, and sleeps: the worker on a futex, the parent on its end of the socketpair, together with everything else it
//! waits for. README.md in this folder has the argument.

#[cfg(not(loom))]
mod bell;
#[cfg(not(loom))]
mod copy;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod layout;
#[cfg(not(loom))]
mod memory;
#[cfg(all(test, loom))]
mod model;
#[cfg(loom)]
mod modelled;
mod pipe;
pub(crate) mod report;
mod sync;

use std::{
    cell::Cell,
    io,
    os::fd::OwnedFd,
    sync::{Arc, atomic::Ordering::*},
    time::{Duration, Instant},
};

use executor_core::spin::SpinBudget;

use super::{Claim, Claims, Inbox, Outbox, Port};
use pipe::{Consumer, Direction, Producer};
use report::Report;
use sync::{Bell, SharedMemory, fence, monotonic_now};

/// What the parent hands to a worker that it starts.
pub(crate) fn create() -> io::Result<(OwnedFd, Memory)> {
    let file = sync::create_file(layout::LENGTH)?;
    let memory = Memory(Arc::new(SharedMemory::map(&file, layout::LENGTH)?));
    Ok((file, memory))
}

/// The shared memory of one link.
pub(crate) struct Memory(Arc<SharedMemory>);

impl Memory {
    pub(crate) fn report(&self) -> Report {
        Report::in_ring(self.0.clone())
    }

    /// The parent's two ends. `socket` is its end of the socketpair.
    pub(crate) fn parent_ends(self, socket: Arc<OwnedFd>) -> (RingOutbox, RingInbox) {
        self.ends(Bell::on(socket))
    }

    fn ends(self, bell: Bell) -> (RingOutbox, RingInbox) {
        let outbox = RingOutbox {
            sender: Producer::new(self.0.clone(), Direction::ToWorker),
            claims: RingClaims(self.0.clone()),
        };
        let inbox = RingInbox { receiver: Consumer::new(self.0.clone(), Direction::ToParent), memory: self.0, bell };
        (outbox, inbox)
    }
}

/// The worker's end, and its report.
pub(crate) fn port(file: OwnedFd, socket: Arc<OwnedFd>) -> io::Result<(RingPort, Report)> {
    let memory = Arc::new(SharedMemory::map(file, layout::LENGTH)?);
    let report = Report::in_ring(memory.clone());
    Ok((RingPort::new(memory, Bell::on(socket)), report))
}

/// What a worker sleeps for: the value of its flag. Only what it sleeps for wakes it.
const FOR_INPUT: u32 = 1;
const FOR_ROOM: u32 = 2;

/// Wakes the worker, if it sleeps for this.
fn wake_worker(memory: &SharedMemory, reason: u32) {
    let sleeps = memory.half_word(layout::WORKER_SLEEPS);
    // ORDERING: this fence, after an index was stored, and the one in `RingPort::sleep_unless`, after the flag was,
    // order the two: either the worker sees the new index, or this sees the flag.
    fence(SeqCst);
    if sleeps.load(Relaxed) == reason && sleeps.compare_exchange(reason, 0, Relaxed, Relaxed).is_ok() {
        memory.wake(layout::WORKER_SLEEPS);
    }
}

/// See [`Outbox`].
pub(crate) struct RingOutbox {
    sender: Producer,
    claims: RingClaims,
}

impl Outbox for RingOutbox {
    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        self.sender.put(first, second)
    }

    fn ring_bell(&mut self) {
        wake_worker(&self.claims.0, FOR_INPUT);
    }

    fn want_room(&mut self) -> bool {
        // ORDERING: as in `RingInbox::arm`, with `RingPort::took` as the partner.
        self.claims.0.half_word(layout::PARENT_WANTS_ROOM).store(1, Relaxed);
        fence(SeqCst);
        // An error shows when sending goes on.
        !matches!(self.sender.room(), Ok(0))
    }

    fn unread(&self) -> Option<u64> {
        // Of a worker that has written over the indices nothing is known, and it may have begun with everything.
        Some(self.sender.room().map_or(0, |room| (layout::CAPACITY - room) as u64))
    }

    fn claims(&self) -> Option<&dyn Claims> {
        Some(&self.claims)
    }
}

/// See [`Inbox`].
pub(crate) struct RingInbox {
    receiver: Consumer,
    memory: Arc<SharedMemory>,
    bell: Bell,
}

impl Inbox for RingInbox {
    fn receive(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let count = self.receiver.take(most, into)?;
        if count > 0 && self.receiver.is_crowded() {
            wake_worker(&self.memory, FOR_ROOM);
        }
        Ok(count)
    }

    fn hush(&mut self) {
        self.bell.hush();
    }

    fn arm(&mut self) -> bool {
        // ORDERING: the fence, after the flag is set, and the one in `RingPort::ring_bell`, after the tail was stored,
        // order the two: either this sees the new tail, or the worker sees the flag.
        self.memory.half_word(layout::PARENT_SLEEPS).store(1, Relaxed);
        fence(SeqCst);
        self.receiver.held().is_ok_and(|held| held == 0)
    }

    fn can_disarm(&self) -> bool {
        true
    }

    fn disarm(&mut self) -> bool {
        // ORDERING: a bell that is pulled nevertheless is one too many, and that is all.
        self.memory.half_word(layout::PARENT_SLEEPS).store(0, Relaxed);
        true
    }

    fn has_something(&self) -> bool {
        // An error shows when it is received.
        !matches!(self.receiver.held(), Ok(0))
    }
}

/// See [`Claims`].
#[derive(Clone)]
struct RingClaims(Arc<SharedMemory>);

impl RingClaims {
    fn change(&self, sequence: u64, item: u64, from: u64, to: u64) -> bool {
        let (from, to) = (layout::claim_word(sequence, item, from), layout::claim_word(sequence, item, to));
        // ORDERING: the word decides between the two sides by itself, and the worker looks at nothing else that this
        // side has done before.
        self.0.word(layout::claim_offset(sequence)).compare_exchange(from, to, Relaxed, Relaxed).is_ok()
    }
}

impl Claims for RingClaims {
    fn slots(&self) -> u64 {
        layout::SLOTS
    }

    fn taken(&self) -> u64 {
        // ORDERING: pairs with the Release in `RingPort::start`: the worker is done with the slots up to here.
        self.0.word(layout::TAKEN).load(Acquire)
    }

    fn offer(&self, sequence: u64) {
        let word = layout::claim_word(sequence, 0, layout::OFFERED);
        // ORDERING: published to the worker by the tail of the ring, which is stored after the frame is sent.
        self.0.word(layout::claim_offset(sequence)).store(word, Relaxed);
    }

    fn withdraw(&self, sequence: u64) -> bool {
        self.change(sequence, 0, layout::OFFERED, layout::WITHDRAWN)
    }

    fn claim(&self, sequence: u64) -> Claim {
        // ORDERING: Acquire pairs with the Release of `RingPort::change`: whoever sees an item run sees its time, or a
        // later one's, in `started_at`.
        let word = self.0.word(layout::claim_offset(sequence)).load(Acquire);
        match layout::read_claim(word, sequence) {
            Some((layout::OFFERED, _)) => Claim::Offered,
            Some((layout::RUNNING, item)) => Claim::Running { item },
            Some((layout::FINISHED, _)) => Claim::Finished,
            _ => Claim::Gone,
        }
    }

    fn condemn(&self, sequence: u64, item: u64) -> bool {
        self.change(sequence, item, layout::RUNNING, layout::CONDEMNED)
    }

    fn ask_to_stop(&self, sequence: u64) {
        // ORDERING: the number stands for itself.
        self.0.word(layout::STOP).store(sequence, Relaxed);
    }

    fn started_at(&self) -> Duration {
        // ORDERING: to be read after the claim, whose Acquire is what orders the two.
        Duration::from_nanos(self.0.word(layout::STARTED_AT).load(Relaxed))
    }
}

/// See [`Port`].
pub(crate) struct RingPort {
    receiver: Consumer,
    sender: Producer,
    memory: Arc<SharedMemory>,
    bell: Bell,
    patience: Cell<SpinBudget>,
}

impl RingPort {
    fn new(memory: Arc<SharedMemory>, bell: Bell) -> RingPort {
        RingPort {
            receiver: Consumer::new(memory.clone(), Direction::ToWorker),
            sender: Producer::new(memory.clone(), Direction::ToParent),
            memory,
            bell,
            patience: Cell::default(),
        }
    }

    /// Looks for a while before this worker sleeps. True: it need not.
    fn look(&self, ready: impl Fn(&RingPort) -> io::Result<bool>) -> bool {
        let mut patience = self.patience.get();
        // An error shows when this worker goes on.
        let found = patience.spin(|| ready(self).unwrap_or(true));
        self.patience.set(patience);
        found
    }

    /// Sleeps until the parent has done something, unless `ready` says that it has already.
    fn sleep_unless(&self, reason: u32, ready: impl Fn(&RingPort) -> io::Result<bool>) -> io::Result<()> {
        if !cfg!(loom) && self.look(&ready) {
            return Ok(());
        }
        let asleep = Instant::now();
        let sleeps = self.memory.half_word(layout::WORKER_SLEEPS);
        // ORDERING: see `wake_worker`.
        sleeps.store(reason, Relaxed);
        fence(SeqCst);
        while !ready(self)? {
            self.memory.sleep_on(layout::WORKER_SLEEPS, reason)?;
            if !ready(self)? {
                // The flag may be down, and has to be raised for the next bell.
                sleeps.store(reason, Relaxed);
                fence(SeqCst);
            }
        }
        sleeps.store(0, Relaxed);
        let mut patience = self.patience.get();
        patience.slept(asleep.elapsed());
        self.patience.set(patience);
        Ok(())
    }

    /// Tells the parent about room, if it may wait for some.
    fn made_room(&self) -> io::Result<()> {
        if self.receiver.is_crowded() { self.took() } else { Ok(()) }
    }

    /// Tells the parent about room, or a slot, that it waits for.
    fn took(&self) -> io::Result<()> {
        let wants = self.memory.half_word(layout::PARENT_WANTS_ROOM);
        // ORDERING: see `RingOutbox::want_room`.
        fence(SeqCst);
        if wants.load(Relaxed) == 1 && wants.swap(0, Relaxed) == 1 {
            self.bell.pull()?;
        }
        Ok(())
    }

    fn change(&self, sequence: u64, from: (u64, u64), to: (u64, u64)) -> bool {
        let word = |(item, state)| layout::claim_word(sequence, item, state);
        let claim = self.memory.word(layout::claim_offset(sequence));
        // ORDERING: Release pairs with the Acquire of `RingClaims::claim`: the time was noted before. The frame that
        // led here came with the ring's own index.
        claim.compare_exchange(word(from), word(to), Release, Relaxed).is_ok()
    }
}

impl Port for RingPort {
    fn read(&mut self, into: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < into.len() {
            match self.receiver.fill(&mut into[filled..])? {
                0 => self.sleep_unless(FOR_INPUT, |port| Ok(port.receiver.held()? > 0))?,
                count => {
                    filled += count;
                    self.made_room()?;
                }
            }
        }
        Ok(())
    }

    fn read_to(&mut self, into: &mut Vec<u8>, count: usize) -> io::Result<()> {
        let end = into.len() + count;
        while into.len() < end {
            match self.receiver.take(end - into.len(), into)? {
                0 => self.sleep_unless(FOR_INPUT, |port| Ok(port.receiver.held()? > 0))?,
                _ => self.made_room()?,
            }
        }
        Ok(())
    }

    fn write(&mut self, mut first: &[u8], mut second: &[u8]) -> io::Result<()> {
        while !first.is_empty() || !second.is_empty() {
            match self.sender.put(first, second)? {
                0 => {
                    self.ring_bell()?;
                    self.sleep_unless(FOR_ROOM, |port| Ok(port.sender.room()? > 0))?;
                }
                count => {
                    let of_first = count.min(first.len());
                    first = &first[of_first..];
                    second = &second[count - of_first..];
                }
            }
        }
        Ok(())
    }

    fn ring_bell(&mut self) -> io::Result<()> {
        let sleeps = self.memory.half_word(layout::PARENT_SLEEPS);
        // ORDERING: see `RingInbox::arm`.
        fence(SeqCst);
        if sleeps.load(Relaxed) == 1 && sleeps.swap(0, Relaxed) == 1 {
            self.bell.pull()?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> io::Result<()> {
        // It is in the shared memory, which does not end with this process.
        Ok(())
    }

    fn start(&mut self, sequence: u64) -> io::Result<bool> {
        let started = self.change(sequence, (0, layout::OFFERED), (0, layout::RUNNING));
        // ORDERING: see `RingClaims::taken`.
        self.memory.word(layout::TAKEN).store(sequence, Release);
        if !started {
            // Nothing is answered to a task that was withdrawn, so this alone tells a parent that waits for its slot.
            self.took()?;
        }
        Ok(started)
    }

    fn advance(&mut self, sequence: u64, item: u64) -> bool {
        self.change(sequence, (item, layout::RUNNING), (item + 1, layout::RUNNING))
    }

    fn finish(&mut self, sequence: u64, item: u64) -> bool {
        self.change(sequence, (item, layout::RUNNING), (item, layout::FINISHED))
    }

    fn note_time(&mut self) {
        let now = u64::try_from(monotonic_now().as_nanos()).unwrap_or(u64::MAX);
        // ORDERING: see `RingClaims::started_at`.
        self.memory.word(layout::STARTED_AT).store(now, Relaxed);
    }

    fn stop_probe(&self) -> Arc<dyn Fn(u64) -> bool + Send + Sync> {
        let memory = self.memory.clone();
        let is_condemned = move |memory: &SharedMemory, sequence| {
            let word = memory.word(layout::claim_offset(sequence)).load(Relaxed);
            matches!(layout::read_claim(word, sequence), Some((layout::CONDEMNED, _)))
        };
        // ORDERING: the number, and the claim, stand for themselves.
        Arc::new(move |sequence| memory.word(layout::STOP).load(Relaxed) == sequence || is_condemned(&memory, sequence))
    }
}
