//! The stages of a worker's life.

/// See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Started, and not ready yet.
    Starting,
    /// Takes tasks.
    Ready,
    /// Takes no more tasks, because it was told to leave, is being killed, or has ended.
    Leaving,
}
