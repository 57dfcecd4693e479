//! The stages of a pool's life.

use std::sync::atomic::{AtomicU8, Ordering::*};

/// How far a pool is closed. A stage never goes back to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Submits are accepted.
    Open,
    /// Submits are refused. The tasks that wait still run.
    Draining,
    /// Tasks that wait are cancelled. A worker that finds one cancels it.
    Cancelling,
    /// In addition, running tasks are asked to stop.
    Terminating,
}

/// The current stage of a pool.
pub(crate) struct StageCell(AtomicU8);

impl Default for StageCell {
    fn default() -> StageCell {
        StageCell(AtomicU8::new(Stage::Open as u8))
    }
}

impl StageCell {
    /// Advances to this stage, unless a later one is reached already.
    pub(crate) fn advance(&self, stage: Stage) {
        // ORDERING: Release pairs with the Acquire in `runs_tasks`.
        self.0.fetch_max(stage as u8, AcqRel);
    }

    /// Returns `true` if tasks that wait are still run, and `false` if they are cancelled.
    #[inline]
    pub(crate) fn runs_tasks(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `advance`: a thread that sees the later stage sees its reason.
        self.0.load(Acquire) < Stage::Cancelling as u8
    }

    /// Returns the stage for display. It may be out of date.
    pub(crate) fn get(&self) -> Stage {
        // ORDERING: nothing depends on the value.
        match self.0.load(Relaxed) {
            0 => Stage::Open,
            1 => Stage::Draining,
            2 => Stage::Cancelling,
            _ => Stage::Terminating,
        }
    }
}
