//! The state word of a task: its phase, its flags, and the transitions between them.
//!
//! ```text
//!   QUEUED -- claim --> RUNNING_LOCAL                  a thread of this process runs it
//!   QUEUED -- place --> PLACED                         it was given to a worker's own queue
//!   QUEUED, PLACED -- begin --> RUNNING_REMOTE         it started in another process, or by a promise
//!   PLACED, RUNNING_REMOTE -- recall --> QUEUED        it was taken back, before another attempt
//!   QUEUED -- withdraw ------------------------> DONE  any thread cancelled it
//!   QUEUED, PLACED, RUNNING_REMOTE -- cancel --> DONE  its owner cancelled it
//!   QUEUED, PLACED -- start_completing --> FAILING ---- finish --> DONE
//!   RUNNING_REMOTE -- start_completing --> COMPLETING - finish --> DONE
//!   RUNNING_LOCAL ------------------------------------- finish --> DONE
//! ```
//!
//! Only `recall` moves the phase back. The word also holds flags, and where in its block the task is. Flags are never
//! cleared, except [`WORK`] (set from the beginning, cleared once by the thread that takes the work), [`WAITED`],
//! [`PACKED`], [`UNPACKING`] and [`RESERVED`].
//! README.md in this folder has the argument.

use std::{fmt, sync::atomic::Ordering::*};

use super::block::Spot;
use crate::sync::AtomicU32;

/// Accepted and not started. Any thread may end this phase.
const QUEUED: u32 = 0;
/// In a worker's own queue, which this process cannot see. Only the owner may end this phase; `Future::cancel` asks the
/// host.
const PLACED: u32 = 1;
/// Running in another process, or by the holder of a promise. Only the owner of the `Task` or `Promise` may end this
/// phase.
const RUNNING_REMOTE: u32 = 2;
/// Running on a thread of this process. Only that thread may end this phase, and no other thread touches the output,
/// not even the back-end that still holds the `Task`.
const RUNNING_LOCAL: u32 = 3;
/// It ran remotely, and its owner is writing the output. No other thread touches the output.
const COMPLETING: u32 = 4;
/// It never started, and its owner is writing an error. No other thread touches the output.
const FAILING: u32 = 5;
/// The output is written. It may still be unpacked by one thread, and then moved out by one thread. This phase has all
/// bits set, so that finishing only sets bits.
const DONE: u32 = PHASE;
const PHASE: u32 = 0b111;

/// The work (function and arguments) is still in the task. The thread that clears this flag owns the work.
const WORK: u32 = 1 << 3;
/// A waiter is registered. The thread that finishes the task must notify it.
const WAITED: u32 = 1 << 4;
/// The running task was asked to stop. `Context::is_cancelled` reports this.
const STOP: u32 = 1 << 5;
/// Cancelled. The output slot is empty, because this flag is the outcome.
const CANCELLED: u32 = 1 << 6;
/// Done with an error, as far as is known: unpacking may still find one.
const FAILED: u32 = 1 << 7;
/// The output is still encoded, as it came from another process.
const PACKED: u32 = 1 << 8;
/// A thread is unpacking the output. No other thread touches the output.
const UNPACKING: u32 = 1 << 9;
/// The value was moved out.
const TAKEN: u32 = 1 << 10;
/// The value is only cloned from now on, never moved out.
const SHARED: u32 = 1 << 11;

/// `schedule` may block while a bounded back-end is full. This never changes.
const MAY_WAIT: u32 = 1 << 12;
/// There are result callbacks. Once the task is done, the thread that runs them owns the output, and clears this flag
/// when they have ended.
const RESERVED: u32 = 1 << 13;
/// The error was returned to a caller, so that the panic in it is not printed.
const READ: u32 = 1 << 15;
/// The task is in no queue of its host, which has never seen it. This never changes once the task is shared.
const IN_NO_QUEUE: u32 = 1 << 14;
/// An encoded value may contain panics, which are printed if no one reads it. This never changes.
const HAS_INNER_ERRORS: u32 = 1 << 16;
/// Done with a panic.
const PANICKED: u32 = 1 << 17;

/// The bits from here on say where in its block the task is; see [`Spot`]. They never change.
const SPOT: u32 = 18;
const _: () = assert!(Spot::BITS <= u32::BITS - SPOT);

// Each flag has a bit of its own.
const _: () = {
    let flags = [
        WORK,
        WAITED,
        STOP,
        CANCELLED,
        FAILED,
        PACKED,
        UNPACKING,
        TAKEN,
        SHARED,
        MAY_WAIT,
        RESERVED,
        READ,
        IN_NO_QUEUE,
        HAS_INNER_ERRORS,
        PANICKED,
    ];
    let (mut seen, mut at) = (PHASE | u32::MAX << SPOT, 0);
    while at < flags.len() {
        assert!(seen & flags[at] == 0);
        seen |= flags[at];
        at += 1;
    }
};

/// The state word.
pub(crate) struct State(AtomicU32);

/// One reading of the state word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u32);

/// What the thread that made a transition must do next.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owed {
    /// No waiter is registered.
    Nothing,
    /// The registered waiters must be notified.
    Notification,
}

impl Owed {
    #[inline]
    fn by(before: u32) -> Owed {
        if before & WAITED != 0 { Owed::Notification } else { Owed::Nothing }
    }
}

/// The result of an attempt to withdraw a task.
#[must_use]
pub(crate) enum Withdraw {
    /// The task is done, by this attempt.
    Withdrawn(Owed),
    /// The task is in a worker's own queue. Only its host can withdraw it.
    Placed,
    /// The task runs or is done.
    TooLate(Snapshot),
}

/// The result of an attempt to read the output.
#[must_use]
pub(crate) enum Access {
    /// The task is not done.
    NotDone,
    /// Another thread is unpacking the output.
    Unpacking,
    /// Result callbacks have the output, or will have it before any other reader.
    Reserved,
    /// The caller must unpack the output, and owns it until it calls `unpacked`.
    Unpack,
    /// The output can be read.
    Ready(Snapshot),
}

/// The event that a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The task is done.
    Done,
    /// The output can be read: the task is done, no thread is unpacking the output, and no result callback has it.
    Readable,
}

/// What becomes of a result callback that comes too late for the thread that finishes the task to run it.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// The output is reserved for it, and the caller owns the output until it calls `unreserve`.
    Reserved,
    /// Another thread is unpacking the output, or runs result callbacks.
    Busy,
    /// The value was moved out, or is shared and may be read by other threads at this moment.
    Unavailable,
}

/// The result of announcing a waiter.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    /// The event has not happened. The thread that makes it happen notifies the waiter.
    InTime,
    /// The event happened before, and no thread notifies the waiter.
    TooLate,
}

impl State {
    #[inline]
    pub(crate) fn new(may_wait: bool, has_inner_errors: bool) -> State {
        let may_wait = if may_wait { MAY_WAIT } else { 0 };
        let has_inner_errors = if has_inner_errors { HAS_INNER_ERRORS } else { 0 };
        State(AtomicU32::new(QUEUED | WORK | may_wait | has_inner_errors))
    }

    /// Adds where in its block the task is.
    #[inline]
    pub(super) fn in_block(self, spot: Spot) -> State {
        // ORDERING: no other thread has the word. Sharing the task publishes this.
        State(AtomicU32::new(self.0.load(Relaxed) | spot.raw() << SPOT))
    }

    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        // ORDERING: Acquire pairs with the Release in `finish`, `cancel` and `unpacked`: a thread that sees DONE sees
        // the output.
        Snapshot(self.0.load(Acquire))
    }

    /// Changes the word by `change`, as long as that returns a new word. Returns the former word in either case.
    #[inline]
    fn update(&self, change: impl FnMut(u32) -> Option<u32>) -> Result<Snapshot, Snapshot> {
        // ORDERING: Release, so that `recall` publishes what the back-end did with the task, `place` publishes the
        // place, and `unpacked` publishes the output. Acquire on success, because this thread continues what an earlier
        // owner did. Acquire on failure, because this thread may have seen PLACED and read the place.
        self.0.fetch_update(AcqRel, Acquire, change).map(Snapshot).map_err(Snapshot)
    }

    /// Moves from one of `from` to `to`, keeping the flags. Returns whether it did.
    fn advance(&self, from: &[u32], to: u32) -> bool {
        self.update(|word| from.contains(&(word & PHASE)).then_some(word & !PHASE | to)).is_ok()
    }

    /// Moves QUEUED to RUNNING_LOCAL, if the work is still there. Returns whether it did: then the caller owns the work
    /// and the output, and must run the work.
    #[must_use]
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        // Phase and flag change in one step, so that no thread can claim a task whose work is being encoded.
        self.update(|word| (word & (PHASE | WORK) == QUEUED | WORK).then_some(word & !(PHASE | WORK) | RUNNING_LOCAL))
            .is_ok()
    }

    /// Moves QUEUED to PLACED. Returns whether it did. If not, the task was cancelled, or a task that waits for it runs
    /// it inline.
    #[must_use]
    pub(crate) fn place(&self) -> bool {
        self.advance(&[QUEUED], PLACED)
    }

    /// Moves PLACED, or RUNNING_REMOTE before another attempt, back to QUEUED, for the owner. Returns whether it did.
    pub(crate) fn recall(&self) -> bool {
        self.advance(&[PLACED, RUNNING_REMOTE], QUEUED)
    }

    /// Moves QUEUED or PLACED to RUNNING_REMOTE, for the owner, once the task has started. Returns whether it did.
    pub(crate) fn begin(&self) -> bool {
        self.advance(&[QUEUED, PLACED], RUNNING_REMOTE)
    }

    /// Moves QUEUED to DONE, for any thread.
    pub(crate) fn withdraw(&self) -> Withdraw {
        match self.end_as_cancelled(&[QUEUED]) {
            Ok(before) => Withdraw::Withdrawn(Owed::by(before.0)),
            Err(seen) if seen.phase() == PLACED => Withdraw::Placed,
            Err(seen) => Withdraw::TooLate(seen),
        }
    }

    /// Moves QUEUED, PLACED or RUNNING_REMOTE to DONE, for the owner. Returns `None` if the phase is another one.
    #[must_use]
    pub(crate) fn cancel(&self) -> Option<Owed> {
        self.end_as_cancelled(&[QUEUED, PLACED, RUNNING_REMOTE]).ok().map(|before| Owed::by(before.0))
    }

    /// Cancels in one step, so that no thread sees a task that is neither queued nor done.
    fn end_as_cancelled(&self, from: &[u32]) -> Result<Snapshot, Snapshot> {
        self.update(|word| from.contains(&(word & PHASE)).then_some(word | DONE | End::Cancelled.flags()))
    }

    /// Moves QUEUED, PLACED or RUNNING_REMOTE to COMPLETING or FAILING, for the owner. `ran` says whether a placed task
    /// has run, which only the owner knows. Returns whether it did: then the caller must write the output and call
    /// `finish`.
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

    /// Moves COMPLETING or FAILING to DONE, for the thread that wrote the output.
    #[inline]
    pub(crate) fn finish(&self, end: End) -> Owed {
        // ORDERING: Release publishes the output to every thread that reads DONE. The lock of the list makes the
        // waiters that set WAITED visible, because they lock it before they set the flag.
        let before = self.0.fetch_or(DONE | end.flags(), Release);
        debug_assert!(matches!(before & PHASE, COMPLETING | FAILING));
        Owed::by(before)
    }

    /// Moves RUNNING_LOCAL to DONE as [`finish`](State::finish) does, for the thread that claimed the task.
    #[inline]
    pub(crate) fn finish_local(&self, end: End) -> Owed {
        // An addition returns the former word in one instruction, where setting bits needs a loop. The bits that it
        // sets are clear before: no other thread ends the phase or sets the flags of an end.
        // ORDERING: as in `finish`.
        let before = self.0.fetch_add(DONE - RUNNING_LOCAL + end.flags(), Release);
        debug_assert!(before & PHASE == RUNNING_LOCAL && before & end.flags() == 0);
        Owed::by(before)
    }

    /// Announces a waiter, whose caller holds the lock of the list.
    pub(crate) fn announce_waiter(&self, event: Event) -> Announced {
        // ORDERING: the counterpart of `finish` on the same word: either `finish` sees WAITED, or this sees DONE.
        // Acquire pairs with the Release of `finish`: a callback that is added late is called immediately, and sees
        // what the task did.
        let before = self.0.fetch_or(WAITED, Acquire);
        if Snapshot(before).has(event) { Announced::TooLate } else { Announced::InTime }
    }

    /// Reserves the output for a result callback. The caller holds the lock of the list, to which it adds the callback.
    ///
    /// # Errors
    ///
    /// Fails if the task is done, so that no thread would run the callback.
    pub(crate) fn reserve(&self) -> Result<(), Late> {
        let reserved = self.update(|word| {
            if word & PHASE != DONE {
                return Some(word | WAITED | RESERVED);
            }
            (word & (UNPACKING | RESERVED | TAKEN | SHARED) == 0).then_some(word | RESERVED)
        });
        match reserved {
            Ok(before) if before.is_done() => Err(Late::Reserved),
            Ok(_) => Ok(()),
            Err(seen) if seen.has(Event::Readable) => Err(Late::Unavailable),
            Err(_) => Err(Late::Busy),
        }
    }

    /// Notes that the thread that owns a reserved output has unpacked it.
    pub(crate) fn unpacked_while_reserved(&self, end: End) {
        let _ = self.update(|word| Some(word & !PACKED | end.flags()));
    }

    /// Ends a reservation, for the thread that ran the result callbacks.
    pub(crate) fn unreserve(&self) -> Owed {
        // ORDERING: Release publishes the unpacked output, and what the callbacks did to it, to every thread that reads
        // the word afterwards: in `snapshot`, in `take_value` and in `reserve`.
        Owed::by(self.0.fetch_and(!RESERVED, Release))
    }

    /// Marks the task as one that is in no queue of its host. Only the thread that makes the task calls this.
    pub(crate) fn set_in_no_queue(&self) {
        // ORDERING: sharing the task publishes this.
        self.0.fetch_or(IN_NO_QUEUE, Relaxed);
    }

    /// Takes the work out. Returns whether it was there: then the caller owns it, to encode or drop it.
    #[must_use]
    pub(crate) fn take_work(&self) -> bool {
        // ORDERING: only the owner touches the work, and it was written before the task was shared.
        self.0.fetch_and(!WORK, Relaxed) & WORK != 0
    }

    /// Asks a running task to stop.
    pub(crate) fn ask_to_stop(&self) {
        // ORDERING: the flag publishes no other memory.
        self.0.fetch_or(STOP, Relaxed);
    }

    /// Returns whether the output can be read. If it is packed, the caller becomes the thread that unpacks it.
    #[inline]
    pub(crate) fn access(&self) -> Access {
        let mut word = self.snapshot().0;
        loop {
            if word & PHASE != DONE {
                return Access::NotDone;
            }
            if word & (UNPACKING | RESERVED) != 0 {
                return if word & RESERVED != 0 { Access::Reserved } else { Access::Unpacking };
            }
            if word & PACKED == 0 {
                return Access::Ready(Snapshot(word));
            }
            // WAITED is cleared so that `unpacked` only notifies waiters that are added from now on. The thread that
            // finished the task notifies the others.
            let unpacking = word & !(PACKED | WAITED) | UNPACKING;
            // ORDERING: Relaxed on success, because the load of `word` has made the packed output visible. Acquire on
            // failure, because the output may be unpacked by now, and the Acquire pairs with the Release of `unpacked`.
            match self.0.compare_exchange_weak(word, unpacking, Relaxed, Acquire) {
                Ok(_) => return Access::Unpack,
                Err(seen) => word = seen,
            }
        }
    }

    /// Ends an unpacking, for the thread that unpacked the output.
    pub(crate) fn unpacked(&self, end: End) -> Owed {
        // This always changes the word, because only the thread that unpacks clears UNPACKING.
        let (Ok(before) | Err(before)) = self.update(|word| Some(word & !UNPACKING | end.flags()));
        Owed::by(before.0)
    }

    /// Marks the value as moved out. On success the caller must move it out.
    ///
    /// # Errors
    ///
    /// Returns what the word says instead: the value was moved out before, is shared, or is reserved.
    #[inline]
    pub(crate) fn take_value(&self) -> Result<(), Snapshot> {
        let take = |word| (word & (SHARED | TAKEN | RESERVED) == 0).then_some(word | TAKEN);
        // ORDERING: Acquire pairs with the Release of `unreserve`, because result callbacks may have had the value
        // since `access` made it visible. Nothing is published: the next thread sees TAKEN and does not touch the
        // value.
        self.0.fetch_update(Acquire, Relaxed, take).map(|_| ()).map_err(Snapshot)
    }

    /// Marks the error as returned to a caller.
    pub(crate) fn mark_error_read(&self) {
        // ORDERING: the count of references orders this before the last of them is dropped.
        self.0.fetch_or(READ, Relaxed);
    }

    /// Marks the value as shared: from now on it is cloned, never moved out.
    pub(crate) fn share_value(&self) {
        // ORDERING: the word itself decides between `share_value` and `take_value`.
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| (word & TAKEN == 0).then_some(word | SHARED));
    }
}

/// How a task ends. Each one is the flags that it sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum End {
    Value = 0,
    Failed = FAILED,
    /// It has failed with a panic.
    Panicked = FAILED | PANICKED,
    Cancelled = FAILED | CANCELLED,
    /// The task has an output from another process, which is not unpacked yet.
    Packed = PACKED,
    /// The output from another process is an error.
    PackedError = PACKED | FAILED,
}

impl End {
    pub(crate) fn packed(failed: bool) -> End {
        if failed { End::PackedError } else { End::Packed }
    }

    #[inline]
    fn flags(self) -> u32 {
        self as u32
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

    /// Returns whether the task runs. While the error of a task that never started is being written, it does not run.
    pub(crate) fn is_running(self) -> bool {
        matches!(self.phase(), RUNNING_REMOTE | RUNNING_LOCAL | COMPLETING)
    }

    /// Returns whether the owner of the `Task` or `Promise` must complete it, because it is neither done nor running on
    /// a thread of this process.
    #[inline]
    pub(crate) fn must_be_completed_by_owner(self) -> bool {
        matches!(self.phase(), QUEUED | PLACED | RUNNING_REMOTE)
    }

    #[inline]
    pub(crate) fn is_done(self) -> bool {
        self.has(Event::Done)
    }

    /// Returns whether the event has happened.
    #[inline]
    pub(crate) fn has(self, event: Event) -> bool {
        self.phase() == DONE && (event == Event::Done || self.0 & (UNPACKING | RESERVED) == 0)
    }

    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & CANCELLED != 0
    }

    /// Returns whether the task is done with an error, as far as is known before unpacking. A cancelled task has not
    /// failed.
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

    pub(crate) fn is_reserved(self) -> bool {
        self.0 & RESERVED != 0
    }

    pub(crate) fn is_packed(self) -> bool {
        self.0 & PACKED != 0
    }

    /// Returns whether the task is in no queue of its host, so that the host is not notified when it starts or ends.
    pub(crate) fn is_in_no_queue(self) -> bool {
        self.0 & IN_NO_QUEUE != 0
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

    /// Returns whether freeing a done task may drop a value of the user: its argument, or its result as a value of this
    /// process. An encoded result, an error and a value that was moved out are not such values.
    ///
    /// A failure that no one has read counts too, because it may be printed, which can block as user code can.
    #[inline]
    pub(crate) fn holds_user_values(self) -> bool {
        let may_be_printed =
            self.is_unread_failure() || self.0 & (PACKED | HAS_INNER_ERRORS) == PACKED | HAS_INNER_ERRORS;
        self.has_work() || self.0 & (PACKED | FAILED | CANCELLED | TAKEN) == 0 || may_be_printed
    }

    /// Returns whether the task has failed, and its error was never returned to a caller.
    #[inline]
    pub(crate) fn is_unread_failure(self) -> bool {
        self.0 & (FAILED | CANCELLED | READ) == FAILED
    }

    #[inline]
    pub(super) fn spot(self) -> Spot {
        Spot::from_raw(self.0 >> SPOT)
    }

    /// Returns the name of the state for users, in `Debug` and in messages.
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
