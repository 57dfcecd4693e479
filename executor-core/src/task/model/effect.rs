//! What a task does to memory that it shares with others by no means but the task itself.
#![allow(unsafe_code)]

use loom::cell::UnsafeCell;

/// Written where somebody acts, and read by whoever has heard of it: loom reports a reader for whom the one does not
/// come before the other.
#[derive(Default)]
pub(super) struct Effect(UnsafeCell<usize>);

// SAFETY: loom runs one of its threads at a time, and fails the model if two accesses race.
unsafe impl Sync for Effect {}

impl Effect {
    pub(super) fn happen(&self) {
        // SAFETY: loom checks that nobody else is in there, now or in an order that it has not ruled out.
        self.0.with_mut(|times| unsafe { *times += 1 });
    }

    pub(super) fn times(&self) -> usize {
        // SAFETY: as above.
        self.0.with(|times| unsafe { *times })
    }
}
