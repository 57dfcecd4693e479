//! The workers whose standard error is not being read.

use crate::{pool::SlotId, transport::STDERR_CHUNK};

/// See the [module](self).
pub(super) struct Logs {
    /// The buffer for reads.
    pub(super) buffer: Box<[u8]>,
    /// Slots whose worker's standard error is not being read.
    pub(super) paused: Vec<SlotId>,
    /// Whether a timer is set to check whether this program's standard error is read again.
    pub(super) timer_is_set: bool,
}

impl Logs {
    pub(super) fn new() -> Logs {
        Logs { buffer: vec![0; STDERR_CHUNK].into(), paused: Vec::new(), timer_is_set: false }
    }
}
