//! Which workers' standard error is not read for now.

use crate::{pool::SlotId, transport::STDERR_CHUNK};

/// See the [module](self).
pub(super) struct Logs {
    /// What is read is put here.
    pub(super) buffer: Box<[u8]>,
    /// Slots whose worker's standard error is not read.
    pub(super) paused: Vec<SlotId>,
    /// Whether a timer is set to look whether this program's standard error is read again.
    pub(super) timer_is_set: bool,
}

impl Logs {
    pub(super) fn new() -> Logs {
        Logs { buffer: vec![0; STDERR_CHUNK].into(), paused: Vec::new(), timer_is_set: false }
    }
}
