//! Memory that a task writes, and that only the completion of the task publishes.
#![allow(unsafe_code)]

use loom::cell::UnsafeCell;

/// The task writes it, and threads that know that the task ran read it. Loom reports a read that the write does not
/// happen before.
#[derive(Default)]
pub(super) struct Effect(UnsafeCell<usize>);

// SAFETY: loom runs one of its threads at a time, and fails the model if two accesses race.
unsafe impl Sync for Effect {}

impl Effect {
    pub(super) fn happen(&self) {
        // SAFETY: loom checks that no other thread accesses the cell at the same time, in any order of the model.
        self.0.with_mut(|times| unsafe { *times += 1 });
    }

    pub(super) fn times(&self) -> usize {
        // SAFETY: as above.
        self.0.with(|times| unsafe { *times })
    }
}
