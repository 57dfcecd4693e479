//! What the readers of a pool's workers and the callback thread share.

use tracing::Dispatch;

use super::{callsites::Share, queue::Queue};

/// See the [module](self).
pub(super) struct Shared {
    pub(super) queue: Queue,
    /// Its part of the callsites of this program.
    pub(super) share: Share,
    /// The subscriber of the thread that has built the pool, unless there was none. Then it is that of the callback
    /// thread, which is the global one.
    pub(super) dispatch: Option<Dispatch>,
}
