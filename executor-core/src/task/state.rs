//! The state word of a task: who may do what, and what each change leaves to be done.
//!
//! ```text
//!   QUEUED    -- claim ----> RUNNING      somebody runs it
//!   QUEUED    -- place ----> PLACED       it travels to a worker's own queue
//!   QUEUED    -- withdraw -> WITHDRAWN    it was cancelled
//!   PLACED    -- begin ----> RUNNING      the worker was seen to start it
//!   PLACED    -- recall ---> QUEUED       it was taken back from the worker (so is RUNNING, before another attempt)
//!   any above -- settle ---> SETTLING     its owner has the output
//!   WITHDRAWN -- finish ---> DONE
//!   SETTLING  -- finish ---> DONE
//! ```
//!
//! The phase never goes back but for `recall`. Beside it the word holds flags, which are only ever set, except for
//! [`WORK`] (set at birth, cleared once by whoever takes the work out), [`PACKED`] and [`UNPACKING`].
//! README.md in this folder has the argument.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering::*},
};

/// Accepted, and in no worker's hands. Whoever moves it on from here owns what happens next.
const QUEUED: u32 = 0;
/// In a worker's own queue, outside this process's view. The back-end alone moves it on; `cancel` asks the back-end.
const PLACED: u32 = 1;
/// Started. The one who runs it alone moves it on.
const RUNNING: u32 = 2;
/// It ran, and the one who ran it is writing the output; nobody else touches it.
const SETTLING: u32 = 3;
/// It was cancelled, and the one who cancelled it is writing the output; nobody else touches it.
const WITHDRAWN: u32 = 4;
/// The output is there. It is never written again, only unpacked and taken, each by one.
const DONE: u32 = 5;
const PHASE: u32 = 0b111;

/// The work (function and arguments) is still inside. Whoever clears this flag owns the work.
const WORK: u32 = 1 << 3;
/// Somebody waits: the one who finishes owes them a notification.
const WAITED: u32 = 1 << 4;
/// The task was asked to stop while it ran. It may look, through `Context::is_cancelled`.
const STOP: u32 = 1 << 5;
/// Done by being cancelled.
const CANCELLED: u32 = 1 << 6;
/// Done with an error, as far as is known: unpacking may still find one.
const FAILED: u32 = 1 << 7;
/// The output is still as it came from another process.
const PACKED: u32 = 1 << 8;
/// Somebody is unpacking the output, and nobody else touches it.
const UNPACKING: u32 = 1 << 9;
/// The value was moved out.
const TAKEN: u32 = 1 << 10;
/// The value is only cloned from now on, never moved out.
const SHARED: u32 = 1 << 11;

/// The state word.
pub(crate) struct State(AtomicU32);

/// One reading of the state word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u32);

/// What an attempt to withdraw found.
#[must_use]
pub(crate) enum Withdraw {
    /// The caller now owns the output: it writes the error and calls `finish`.
    Won,
    /// The back-end has it; ask there.
    Placed,
    /// It runs or is over.
    Late(Snapshot),
}

/// What an attempt to read the output found.
#[must_use]
pub(crate) enum Access {
    /// Not done yet.
    NotDone,
    /// Somebody is unpacking it: wait for that.
    Unpacking,
    /// The caller now unpacks: it owns the output until it calls `unpacked`.
    Unpack,
    /// It may be read.
    Ready(Snapshot),
}

impl State {
    pub(crate) fn new() -> State {
        State(AtomicU32::new(QUEUED | WORK))
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        // ORDERING: Acquire pairs with the Release in `finish` and `unpacked`: who sees DONE sees the output.
        Snapshot(self.0.load(Acquire))
    }

    /// Moves from one of `from` to `to`, keeping the flags.
    fn advance(&self, from: &[u32], to: u32) -> Result<Snapshot, Snapshot> {
        // ORDERING: Acquire, because the winner goes on to read or drop what an earlier owner wrote (the work, or the
        // reply after a recall). Release, so that a `recall` publishes what the back-end did to the task to the next
        // owner.
        self.0
            .fetch_update(AcqRel, Acquire, |word| from.contains(&(word & PHASE)).then_some(word & !PHASE | to))
            .map(Snapshot)
            .map_err(Snapshot)
    }

    /// QUEUED to RUNNING. True: the caller runs it.
    #[must_use]
    pub(crate) fn claim(&self) -> bool {
        self.advance(&[QUEUED], RUNNING).is_ok()
    }

    /// QUEUED to RUNNING, unless the work has left already. True: the caller runs it.
    #[must_use]
    pub(crate) fn claim_with_work(&self) -> bool {
        self.snapshot().has_work() && self.claim()
    }

    /// QUEUED to PLACED. False: it was cancelled meanwhile.
    #[must_use]
    pub(crate) fn place(&self) -> bool {
        self.advance(&[QUEUED], PLACED).is_ok()
    }

    /// PLACED (or RUNNING, before another attempt) back to QUEUED. For the back-end that owns the task.
    pub(crate) fn recall(&self) {
        let moved = self.advance(&[PLACED, RUNNING], QUEUED);
        debug_assert!(moved.is_ok(), "only the owner of a placed task recalls it");
    }

    /// PLACED to RUNNING, for the back-end that learns that its worker started it.
    pub(crate) fn begin(&self) {
        let moved = self.advance(&[PLACED, QUEUED], RUNNING);
        debug_assert!(moved.is_ok(), "only the owner of a placed task begins it");
    }

    /// QUEUED to WITHDRAWN.
    pub(crate) fn withdraw(&self) -> Withdraw {
        match self.advance(&[QUEUED], WITHDRAWN) {
            Ok(_) => Withdraw::Won,
            Err(seen) if seen.phase() == PLACED => Withdraw::Placed,
            Err(seen) => Withdraw::Late(seen),
        }
    }

    /// Any earlier phase to SETTLING. True: the caller writes the output and calls `finish`.
    #[must_use]
    pub(crate) fn settle(&self) -> bool {
        self.advance(&[QUEUED, PLACED, RUNNING], SETTLING).is_ok()
    }

    /// QUEUED or PLACED to SETTLING: as [`settle`](State::settle), but leaves alone what somebody runs in place.
    #[must_use]
    pub(crate) fn settle_unstarted(&self) -> bool {
        self.advance(&[QUEUED, PLACED], SETTLING).is_ok()
    }

    /// SETTLING or WITHDRAWN to DONE. True: somebody waits, and the caller owes them a notification.
    #[must_use]
    pub(crate) fn finish(&self, end: End) -> bool {
        // ORDERING: Release publishes the output to whoever reads DONE. Acquire pairs with the Release of `announce`, so
        // that the waiters that set WAITED are found in the list.
        let before = self.0.fetch_update(AcqRel, Relaxed, |word| Some(word & !PHASE | DONE | end.flags()));
        let before = before.unwrap_or_else(|word| word);
        debug_assert!(matches!(before & PHASE, SETTLING | WITHDRAWN));
        before & WAITED != 0
    }

    /// Says that somebody waits. False: it was done before, and nobody will notify.
    #[must_use]
    pub(crate) fn announce(&self) -> bool {
        // ORDERING: the counterpart of `finish` on the same word: either `finish` sees WAITED, or this sees DONE.
        let before = self.0.fetch_or(WAITED, AcqRel);
        before & PHASE != DONE || before & UNPACKING != 0
    }

    /// True: the caller owns the work now, to run, encode or drop it.
    #[must_use]
    pub(crate) fn take_work(&self) -> bool {
        // ORDERING: nobody but the owner ever touches the work, and it was written before the task was shared.
        self.0.fetch_and(!WORK, Acquire) & WORK != 0
    }

    /// Asks a running task to stop.
    pub(crate) fn ask_to_stop(&self) {
        // ORDERING: the flag stands for itself; no other memory is published by it.
        self.0.fetch_or(STOP, Relaxed);
    }

    /// Looks at the output of a done task, taking on the unpacking where that is still to be done.
    pub(crate) fn access(&self) -> Access {
        let mut word = self.snapshot().0;
        loop {
            if word & PHASE != DONE {
                return Access::NotDone;
            }
            if word & UNPACKING != 0 {
                return Access::Unpacking;
            }
            if word & PACKED == 0 {
                return Access::Ready(Snapshot(word));
            }
            // WAITED is cleared so that `unpacked` only notifies those who came for it: the others were notified when
            // the task got done.
            let unpacking = word & !(PACKED | WAITED) | UNPACKING;
            // ORDERING: Acquire as in `snapshot`: the winner reads the packed output.
            match self.0.compare_exchange_weak(word, unpacking, Acquire, Acquire) {
                Ok(_) => return Access::Unpack,
                Err(seen) => word = seen,
            }
        }
    }

    /// Ends an unpacking. True: somebody waits for it.
    #[must_use]
    pub(crate) fn unpacked(&self, failed: bool) -> bool {
        let failed = if failed { FAILED } else { 0 };
        // ORDERING: as in `finish`.
        let before = self.0.fetch_update(AcqRel, Relaxed, |word| Some(word & !UNPACKING | failed));
        before.unwrap_or_else(|word| word) & WAITED != 0
    }

    /// True: the caller moves the value out. False: it was moved out before, or is shared.
    #[must_use]
    pub(crate) fn take(&self) -> bool {
        // ORDERING: Acquire as in `snapshot`. Nothing is published: the next reader sees TAKEN and stays away.
        self.0.fetch_update(Acquire, Acquire, |word| (word & (SHARED | TAKEN) == 0).then_some(word | TAKEN)).is_ok()
    }

    /// From now on the value is cloned, never moved out.
    pub(crate) fn share(&self) {
        // ORDERING: the word itself decides between `share` and `take`.
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| (word & TAKEN == 0).then_some(word | SHARED));
    }
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    Failed,
    Cancelled,
    /// Output from another process, not unpacked yet.
    Packed {
        failed: bool,
    },
}

impl End {
    fn flags(self) -> u32 {
        match self {
            End::Value => 0,
            End::Failed => FAILED,
            End::Cancelled => FAILED | CANCELLED,
            End::Packed { failed: false } => PACKED,
            End::Packed { failed: true } => PACKED | FAILED,
        }
    }
}

impl Snapshot {
    fn phase(self) -> u32 {
        self.0 & PHASE
    }

    pub(crate) fn is_queued(self) -> bool {
        self.phase() == QUEUED
    }

    pub(crate) fn is_placed(self) -> bool {
        self.phase() == PLACED
    }

    pub(crate) fn is_running(self) -> bool {
        matches!(self.phase(), RUNNING | SETTLING)
    }

    pub(crate) fn is_done(self) -> bool {
        self.phase() == DONE
    }

    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & CANCELLED != 0
    }

    /// Cancelled, or about to be and past changing.
    pub(crate) fn is_withdrawn(self) -> bool {
        self.is_cancelled() || self.phase() == WITHDRAWN
    }

    /// Done with an error, as far as is known without unpacking; being cancelled is not an error here.
    pub(crate) fn is_failed(self) -> bool {
        self.0 & (FAILED | CANCELLED) == FAILED
    }

    pub(crate) fn is_taken(self) -> bool {
        self.0 & TAKEN != 0
    }

    pub(crate) fn is_asked_to_stop(self) -> bool {
        self.0 & STOP != 0
    }

    pub(crate) fn has_work(self) -> bool {
        self.0 & WORK != 0
    }

    /// The word that users read: in `Debug` and in messages.
    pub(crate) fn name(self) -> &'static str {
        match self.phase() {
            QUEUED | PLACED | WITHDRAWN => "pending",
            RUNNING | SETTLING => "running",
            _ if self.is_cancelled() => "cancelled",
            _ if self.is_failed() => "failed",
            _ if self.is_taken() => "finished, result taken",
            _ => "finished",
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
