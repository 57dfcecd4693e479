//! The worker's end of a ring.

use std::{
    cell::Cell,
    io,
    sync::{Arc, atomic::Ordering::*},
    time::Instant,
};

use executor_core::spin::SpinBudget;

use super::{
    layout::{self, FOR_INPUT, FOR_ROOM},
    pipe::{Consumer, Direction, Producer},
    sync::{Doorbell, SharedMemory, fence, monotonic_now},
};
use crate::transport::Port;

/// The worker's end, for both directions.
pub(crate) struct RingPort {
    receiver: Consumer,
    sender: Producer,
    memory: Arc<SharedMemory>,
    doorbell: Doorbell,
    spin_budget: Cell<SpinBudget>,
}

impl RingPort {
    pub(super) fn new(memory: Arc<SharedMemory>, doorbell: Doorbell) -> RingPort {
        RingPort {
            receiver: Consumer::new(memory.clone(), Direction::ToWorker),
            sender: Producer::new(memory.clone(), Direction::ToParent),
            memory,
            doorbell,
            spin_budget: Cell::default(),
        }
    }

    /// Spins until `ready` returns `true`, within the spin budget. Returns `false` if it did not, so that this worker
    /// must sleep.
    fn spin(&self, ready: impl Fn(&RingPort) -> io::Result<bool>) -> bool {
        let mut budget = self.spin_budget.get();
        // An error is reported when this worker continues.
        let found = budget.spin(|| ready(self).unwrap_or(true));
        self.spin_budget.set(budget);
        found
    }

    /// Waits for more of a frame, or for room for more of one, as [`sleep_unless`](RingPort::sleep_unless) does. The
    /// parent is at work on it.
    fn sleep_in_frame_unless(&self, reason: u32, ready: impl Fn(&RingPort) -> io::Result<bool>) -> io::Result<()> {
        if !cfg!(loom) && SpinBudget::in_transfer().spin(|| ready(self).unwrap_or(true)) {
            return Ok(());
        }
        self.sleep_unless(reason, ready)
    }

    /// Sleeps until the parent has done something, or not at all if `ready` returns `true`.
    fn sleep_unless(&self, reason: u32, ready: impl Fn(&RingPort) -> io::Result<bool>) -> io::Result<()> {
        if !cfg!(loom) && self.spin(&ready) {
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
                // The parent may have cleared the flag. It clears the flag only if it is set.
                sleeps.store(reason, Relaxed);
                fence(SeqCst);
            }
        }
        sleeps.store(0, Relaxed);
        let mut budget = self.spin_budget.get();
        budget.slept(asleep.elapsed());
        self.spin_budget.set(budget);
        Ok(())
    }

    /// Sends what is left of two parts of which so many bytes were sent, as the parent makes room for it.
    #[cold]
    fn write_rest(&mut self, first: &[u8], second: &[u8], mut sent: usize) -> io::Result<()> {
        while sent < first.len() + second.len() {
            let first_rest = &first[sent.min(first.len())..];
            let second_rest = &second[sent.saturating_sub(first.len())..];
            match self.sender.put(first_rest, second_rest)? {
                0 => {
                    self.ring_doorbell()?;
                    self.sleep_in_frame_unless(FOR_ROOM, |port| Ok(port.sender.room()? > 0))?;
                }
                count => sent += count,
            }
        }
        Ok(())
    }

    /// Tells the parent about room, if the parent may be waiting for some.
    fn made_room(&self) -> io::Result<()> {
        if self.receiver.is_crowded() { self.took() } else { Ok(()) }
    }

    /// Tells the parent about room, or a slot, if the parent is waiting for that.
    fn took(&self) -> io::Result<()> {
        let wants = self.memory.half_word(layout::PARENT_WANTS_ROOM);
        // ORDERING: see `RingOutbox::want_room`.
        fence(SeqCst);
        if wants.load(Relaxed) == 1 && wants.swap(0, Relaxed) == 1 {
            self.doorbell.ring()?;
        }
        Ok(())
    }

    fn change(&self, sequence: u64, from: (u64, u64), to: (u64, u64)) -> bool {
        let word = |(item, state)| layout::claim_word(sequence, item, state);
        let claim = self.memory.word(layout::claim_offset(sequence));
        // ORDERING: Release pairs with the Acquire of `RingClaims::claim`: the time was noted before. The frame that
        // named this task was published by the ring's own index.
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
                0 => self.sleep_in_frame_unless(FOR_INPUT, |port| Ok(port.receiver.held()? > 0))?,
                _ => self.made_room()?,
            }
        }
        Ok(())
    }

    fn write(&mut self, first: &[u8], second: &[u8]) -> io::Result<()> {
        let put = self.sender.put(first, second)?;
        if put < first.len() + second.len() { self.write_rest(first, second, put) } else { Ok(()) }
    }

    fn ring_doorbell(&mut self) -> io::Result<()> {
        let sleeps = self.memory.half_word(layout::PARENT_SLEEPS);
        // ORDERING: see `RingInbox::arm`.
        fence(SeqCst);
        if sleeps.load(Relaxed) == 1 && sleeps.swap(0, Relaxed) == 1 {
            self.doorbell.ring()?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> io::Result<()> {
        // The bytes are in the shared memory, which outlives this process.
        Ok(())
    }

    fn start(&mut self, sequence: u64) -> io::Result<bool> {
        let started = self.change(sequence, (0, layout::OFFERED), (0, layout::RUNNING));
        // ORDERING: see `RingClaims::taken`.
        self.memory.word(layout::TAKEN).store(sequence, Release);
        if !started {
            // A withdrawn task gets no reply, so only this wakes a parent that waits for its slot.
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
