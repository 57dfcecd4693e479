//! The layout of the memory that a parent shares with one worker.
//!
//! ```text
//! offset  written by   contents
//!      0  parent       to_worker.tail   bytes sent to the worker since the start
//!    128  worker       to_worker.head   bytes of those that the worker has taken
//!    256  worker       to_parent.tail   bytes sent to the parent
//!    384  parent       to_parent.head   bytes of those that the parent has taken
//!    512  both         worker_sleeps    the worker sleeps on this futex; 1: for input, 2: for room
//!    640  both         parent_sleeps    1: the worker must ring when it has sent something
//!    768  both         parent_wants_room  1: the worker must ring when it has taken something
//!    896  worker       taken            the last task taken off the queue
//!    904  worker       started_at       nanoseconds on the monotonic clock
//!    912  parent       stop             the task that was asked to stop
//!   1024  both         claims           one word for each slot
//!   9216                the report, see below
//!  12288               the bytes to the worker, then those to the parent
//! ```
//!
//! What one side writes often has a pair of cache lines of its own, so that the sides do not take it from each other.
//!
//! A claim is `sequence << 24 | item << 4 | state`. It carries the sequence number of its task, so a late
//! compare-and-swap for a task whose slot holds another one by now fails.
//!
//! A report is part of this memory in a ring, and a piece of memory of its own with a socket. See `report.rs`.
//!
//! ```text
//! offset  written by   contents
//!      0  parent       read       bytes taken out of the worker's standard error, times two; odd: more are being taken
//!    128  worker       boundary   bytes that were written there before the task that runs, or is next
//!    136  worker       facts      one bit for each
//! ```

use crate::transport::claims::ITEM_MODULUS;

pub(super) const TO_WORKER_TAIL: usize = 0;
pub(super) const TO_WORKER_HEAD: usize = 128;
pub(super) const TO_PARENT_TAIL: usize = 256;
pub(super) const TO_PARENT_HEAD: usize = 384;
pub(super) const WORKER_SLEEPS: usize = 512;
pub(super) const PARENT_SLEEPS: usize = 640;
pub(super) const PARENT_WANTS_ROOM: usize = 768;
pub(super) const TAKEN: usize = 896;
pub(super) const STARTED_AT: usize = 904;
pub(super) const STOP: usize = 912;
const CLAIMS: usize = 1024;
pub(super) const REPORT: usize = 9 * 1024;
const DATA: usize = 3 * 4096;

/// The most tasks that a worker may have. A model has as few as possible.
pub(super) const SLOTS: u64 = if cfg!(loom) { 2 } else { 1024 };

/// The most bytes that each direction holds. This bounds memory, not frames: a longer frame streams through.
pub(super) const CAPACITY: usize = if cfg!(loom) { 2 } else { 256 * 1024 };

pub(super) const LENGTH: usize = DATA + 2 * CAPACITY;
pub(super) const TO_WORKER_DATA: usize = DATA;
pub(super) const TO_PARENT_DATA: usize = DATA + CAPACITY;

/// The values of the worker's flag, which say what it sleeps for. Nothing else wakes it.
pub(super) const FOR_INPUT: u32 = 1;
pub(super) const FOR_ROOM: u32 = 2;

/// Returns the offset of the claim of a task.
pub(super) fn claim_offset(sequence: u64) -> usize {
    CLAIMS + 8 * (sequence % SLOTS) as usize
}

/// The offsets in a report, and its length.
pub(super) const REPORT_READ: usize = 0;
pub(super) const REPORT_BOUNDARY: usize = 128;
pub(super) const REPORT_FACTS: usize = 136;
pub(super) const REPORT_LENGTH: usize = 256;

pub(super) const OFFERED: u64 = 0;
pub(super) const RUNNING: u64 = 1;
pub(super) const FINISHED: u64 = 2;
pub(super) const WITHDRAWN: u64 = 3;
pub(super) const CONDEMNED: u64 = 4;

const STATE_BITS: u32 = 4;
const ITEM_BITS: u32 = 20;

const MOST_ITEMS: u64 = ITEM_MODULUS;

pub(super) fn claim_word(sequence: u64, item: u64, state: u64) -> u64 {
    sequence << (ITEM_BITS + STATE_BITS) | (item & (MOST_ITEMS - 1)) << STATE_BITS | state
}

/// Returns the state and the item, if the word is about this task.
pub(super) fn read_claim(word: u64, sequence: u64) -> Option<(u64, u64)> {
    let own = claim_word(sequence, 0, 0) >> (ITEM_BITS + STATE_BITS);
    (word >> (ITEM_BITS + STATE_BITS) == own)
        .then_some((word & ((1 << STATE_BITS) - 1), word >> STATE_BITS & (MOST_ITEMS - 1)))
}

const _: () = assert!(MOST_ITEMS == 1 << ITEM_BITS);
const _: () = assert!(CLAIMS + 8 * SLOTS as usize <= REPORT && CAPACITY.is_power_of_two());
const _: () = assert!(REPORT + REPORT_LENGTH <= DATA);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_read_back_for_its_own_task_only() {
        let word = claim_word(77, 5, RUNNING);
        assert_eq!(read_claim(word, 77), Some((RUNNING, 5)));
        assert_eq!(read_claim(word, 77 + SLOTS), None);
    }
}
