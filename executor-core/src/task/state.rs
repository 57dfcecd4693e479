//! The state word of a task: who may do what, and what each change leaves to be done.
//!
//! ```text
//!   QUEUED  -- claim --> RUNNING_LOCAL                        a thread of this process runs it in place
//!   QUEUED  -- place --> PLACED                      it travels to a worker's own queue
//!   QUEUED, PLACED  -- begin --> RUNNING_REMOTE             its producer elsewhere was seen to start it
//!   PLACED, RUNNING_REMOTE -- recall -> QUEUED              it was taken back, before another attempt
//!   QUEUED  -- withdraw -----------------> DONE      somebody cancelled it
//!   QUEUED, PLACED, RUNNING_REMOTE -- cancel ---> DONE      its owner cancelled it
//!   QUEUED, PLACED -- settle -> FAILING -- finish -> DONE
//!   RUNNING_REMOTE        -- settle -> COMPLETING  -- finish -> DONE
//!   RUNNING_LOCAL    ------------------------------ finish -> DONE
//! ```
//!
//! The phase never goes back but for `recall`. Beside it the word holds flags, which are only ever set, except for
//! [`WORK`] (set at birth, cleared once by whoever takes the work out), [`WAITED`], [`PACKED`] and [`UNPACKING`].
//! README.md in this folder has the argument.

use std::{fmt, sync::atomic::Ordering::*};

use crate::sync::AtomicU32;

/// Accepted, and in nobody's hands. Whoever moves it on from here owns what happens next.
const QUEUED: u32 = 0;
/// In a worker's own queue, outside this process's view. The back-end alone moves it on; `cancel` asks the back-end.
const PLACED: u32 = 1;
/// Started elsewhere: in another process, or by the holder of a promise. Its owner, who has the `Task` or the
/// `Promise`, alone moves it on.
const RUNNING_REMOTE: u32 = 2;
/// Started in place. The thread that claimed it alone moves it on, and nobody else touches its output: not even the
/// back-end that still holds the `Task`.
const RUNNING_LOCAL: u32 = 3;
/// It ran elsewhere, and its owner is writing the output; nobody else touches it.
const COMPLETING: u32 = 4;
/// It never started, and its owner is writing the output; nobody else touches it.
const FAILING: u32 = 5;
/// The output is there. It is never written again, only unpacked and taken, each by one. All bits of the phase, so that
/// finishing is setting bits.
const DONE: u32 = PHASE;
const PHASE: u32 = 0b111;

/// The work (function and arguments) is still inside. Whoever clears this flag owns the work.
const WORK: u32 = 1 << 3;
/// Somebody waits: the one who finishes owes them a notification.
const WAITED: u32 = 1 << 4;
/// The task was asked to stop while it ran. It may look, through `Context::is_cancelled`.
const STOP: u32 = 1 << 5;
/// Done by being cancelled. The output slot is empty, for there is nothing to say that the flag does not.
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

/// Whether `schedule` may wait while a bounded back-end is full. Set at birth or never.
const MAY_WAIT: u32 = 1 << 12;

/// The state word.
pub(crate) struct State(AtomicU32);

/// One reading of the state word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u32);

/// What an attempt to withdraw found.
#[must_use]
pub(crate) enum Withdraw {
    /// It is done, by the caller. If somebody waits, the caller owes them a notification.
    Won { waited: bool },
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

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// That the task is done.
    Done,
    /// That its output can be read: it is done, and nobody is unpacking it.
    Readable,
}

impl State {
    #[inline]
    pub(crate) fn new(may_wait: bool) -> State {
        State(AtomicU32::new(QUEUED | WORK | if may_wait { MAY_WAIT } else { 0 }))
    }

    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        // ORDERING: Acquire pairs with the Release in `finish`, `cancel` and `unpacked`: who sees DONE sees the output.
        Snapshot(self.0.load(Acquire))
    }

    /// Changes the word by `change`, as long as that has an answer. Both answers hold the word as it was before.
    #[inline]
    fn update(&self, change: impl FnMut(u32) -> Option<u32>) -> Result<Snapshot, Snapshot> {
        // ORDERING: Release, so that `recall` publishes what the back-end did with the task to the next owner, `place`
        // where it is, and `unpacked` the output. Acquire for the winner, who goes on with what an earlier owner did,
        // and for the loser, who may have seen PLACED and reads the place.
        self.0.fetch_update(AcqRel, Acquire, change).map(Snapshot).map_err(Snapshot)
    }

    /// Moves from one of `from` to `to`, keeping the flags.
    fn advance(&self, from: &[u32], to: u32) -> bool {
        self.update(|word| from.contains(&(word & PHASE)).then_some(word & !PHASE | to)).is_ok()
    }

    /// QUEUED to RUNNING_LOCAL, if the work is still there. True: the caller owns the work and the output, and runs the one into
    /// the other.
    #[must_use]
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        // One step for both, so that nobody can claim a task whose work is being written down.
        self.update(|word| (word & (PHASE | WORK) == QUEUED | WORK).then_some(word & !(PHASE | WORK) | RUNNING_LOCAL))
            .is_ok()
    }

    /// QUEUED to PLACED. False: it was cancelled meanwhile, or is run by somebody who waits for it.
    #[must_use]
    pub(crate) fn place(&self) -> bool {
        self.advance(&[QUEUED], PLACED)
    }

    /// PLACED (or RUNNING_REMOTE, before another attempt) back to QUEUED, for the owner.
    pub(crate) fn recall(&self) -> bool {
        self.advance(&[PLACED, RUNNING_REMOTE], QUEUED)
    }

    /// QUEUED or PLACED to RUNNING_REMOTE, for the owner that learns that it started elsewhere. False: somebody was faster.
    pub(crate) fn begin(&self) -> bool {
        self.advance(&[QUEUED, PLACED], RUNNING_REMOTE)
    }

    /// QUEUED to DONE, by anybody.
    pub(crate) fn withdraw(&self) -> Withdraw {
        match self.end_as_cancelled(&[QUEUED]) {
            Ok(before) => Withdraw::Won { waited: before.0 & WAITED != 0 },
            Err(seen) if seen.phase() == PLACED => Withdraw::Placed,
            Err(seen) => Withdraw::Late(seen),
        }
    }

    /// QUEUED, PLACED or RUNNING_REMOTE to DONE, by the owner. `Some(waited)`: it is done, by the caller, and if somebody
    /// waits, the caller owes them a notification.
    #[must_use]
    pub(crate) fn cancel(&self) -> Option<bool> {
        self.end_as_cancelled(&[QUEUED, PLACED, RUNNING_REMOTE]).ok().map(|before| before.0 & WAITED != 0)
    }

    /// One step, so that a cancelled task is done at once, for a second canceller too.
    fn end_as_cancelled(&self, from: &[u32]) -> Result<Snapshot, Snapshot> {
        self.update(|word| from.contains(&(word & PHASE)).then_some(word | DONE | End::Cancelled.flags()))
    }

    /// QUEUED, PLACED or RUNNING_REMOTE to COMPLETING or FAILING, by the owner. `ran` says whether a placed task has run,
    /// which the owner alone knows. True: the caller writes the output and calls `finish`.
    #[must_use]
    pub(crate) fn start_completing(&self, ran: bool) -> bool {
        let next = |word| match word & PHASE {
            QUEUED => Some(FAILING),
            PLACED if !ran => Some(FAILING),
            PLACED | RUNNING_REMOTE => Some(COMPLETING),
            _ => None,
        };
        self.update(|word| next(word).map(|phase| word & !PHASE | phase)).is_ok()
    }

    /// RUNNING_LOCAL, COMPLETING or FAILING to DONE, by the one who wrote the output. True: somebody waits, and the caller owes
    /// them a notification.
    #[must_use]
    #[inline]
    pub(crate) fn finish(&self, end: End) -> bool {
        // ORDERING: Release publishes the output to whoever reads DONE. That the waiters which set WAITED are found in
        // the list is the doing of its lock: they hold it from before they set the flag.
        let before = self.0.fetch_or(DONE | end.flags(), Release);
        debug_assert!(matches!(before & PHASE, RUNNING_LOCAL | COMPLETING | FAILING));
        before & WAITED != 0
    }

    /// Says that somebody waits. False: what they wait for was there before, and nobody will notify.
    #[must_use]
    pub(crate) fn announce(&self, event: Event) -> bool {
        // ORDERING: the counterpart of `finish` on the same word: either `finish` sees WAITED, or this sees DONE.
        // Acquire pairs with the Release of `finish`: a callback that comes late is called at once, and sees what the
        // task did.
        let before = self.0.fetch_or(WAITED, Acquire);
        !Snapshot(before).has(event)
    }

    /// True: the caller owns the work now, to encode or drop it.
    #[must_use]
    pub(crate) fn take_work(&self) -> bool {
        // ORDERING: nobody but the owner ever touches the work, and it was written before the task was shared.
        self.0.fetch_and(!WORK, Relaxed) & WORK != 0
    }

    /// Asks a running task to stop.
    pub(crate) fn ask_to_stop(&self) {
        // ORDERING: the flag stands for itself; no other memory is published by it.
        self.0.fetch_or(STOP, Relaxed);
    }

    /// Looks at the output of a done task, taking on the unpacking where that is still to be done.
    #[inline]
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
            // WAITED is cleared so that `unpacked` only notifies those who came for it: the others are notified by the
            // one who finished the task.
            let unpacking = word & !(PACKED | WAITED) | UNPACKING;
            // ORDERING: the winner reads the packed output, which it has seen with `word`. The loser may find it
            // unpacked, and reads what the Release of `unpacked` publishes.
            match self.0.compare_exchange_weak(word, unpacking, Relaxed, Acquire) {
                Ok(_) => return Access::Unpack,
                Err(seen) => word = seen,
            }
        }
    }

    /// Ends an unpacking. True: somebody waits for it.
    #[must_use]
    pub(crate) fn unpacked(&self, end: End) -> bool {
        // This always has an answer: only the one who unpacks clears UNPACKING.
        let (Ok(before) | Err(before)) = self.update(|word| Some(word & !UNPACKING | end.flags()));
        before.0 & WAITED != 0
    }

    /// True: the caller moves the value out. False: it was moved out before, or is shared.
    #[must_use]
    #[inline]
    pub(crate) fn take(&self) -> bool {
        // ORDERING: the caller has seen the output by `access`. Nothing is published: the next one sees TAKEN and stays
        // away.
        self.0.fetch_update(Relaxed, Relaxed, |word| (word & (SHARED | TAKEN) == 0).then_some(word | TAKEN)).is_ok()
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
    #[inline]
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
    #[inline]
    fn phase(self) -> u32 {
        self.0 & PHASE
    }

    #[inline]
    pub(crate) fn is_queued(self) -> bool {
        self.phase() == QUEUED
    }

    pub(crate) fn is_placed(self) -> bool {
        self.phase() == PLACED
    }

    /// A task that never ran never says so, also while its error is being written.
    pub(crate) fn is_running(self) -> bool {
        matches!(self.phase(), RUNNING_REMOTE | RUNNING_LOCAL | COMPLETING)
    }

    /// Whether the `Task` or `Promise` is what will resolve it: it is neither over nor being run in place.
    #[inline]
    pub(crate) fn is_up_to_its_owner(self) -> bool {
        matches!(self.phase(), QUEUED | PLACED | RUNNING_REMOTE)
    }

    #[inline]
    pub(crate) fn is_done(self) -> bool {
        self.has(Event::Done)
    }

    /// Whether what somebody waits for is there.
    #[inline]
    pub(crate) fn has(self, event: Event) -> bool {
        self.phase() == DONE && (event == Event::Done || self.0 & UNPACKING == 0)
    }

    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & CANCELLED != 0
    }

    /// Done with an error, as far as is known without unpacking; being cancelled is not an error here.
    pub(crate) fn is_failed(self) -> bool {
        self.0 & (FAILED | CANCELLED) == FAILED
    }

    #[inline]
    pub(crate) fn is_taken(self) -> bool {
        self.0 & TAKEN != 0
    }

    pub(crate) fn is_shared(self) -> bool {
        self.0 & SHARED != 0
    }

    #[inline]
    pub(crate) fn is_asked_to_stop(self) -> bool {
        self.0 & STOP != 0
    }

    pub(crate) fn may_wait(self) -> bool {
        self.0 & MAY_WAIT != 0
    }

    #[inline]
    pub(crate) fn has_work(self) -> bool {
        self.0 & WORK != 0
    }

    /// Whether freeing a task that is done may drop a value of the user's: its argument, or its result as a value of
    /// this process. A result that is still bytes, an error and a value that was moved out are none.
    #[inline]
    pub(crate) fn owns_values(self) -> bool {
        self.has_work() || self.0 & (PACKED | FAILED | CANCELLED | TAKEN) == 0
    }

    /// The word that users read: in `Debug` and in messages.
    pub(crate) fn name(self) -> &'static str {
        match self.phase() {
            QUEUED | PLACED | FAILING => "pending",
            RUNNING_REMOTE | RUNNING_LOCAL | COMPLETING => "running",
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

#[cfg(test)]
mod tests;
