//! The options of what a client makes.

/// The options of a queue that does not exist yet. One that exists keeps those with which it was made.
///
/// ```
/// # mod concurrent_futures { pub use cluster; }
/// use concurrent_futures::cluster::QueueOptions;
/// let options = QueueOptions::new().capacity(1000);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueOptions {
    pub(super) capacity: Option<usize>,
}

impl QueueOptions {
    /// Returns the options of a queue that only the server's disk bounds.
    pub fn new() -> QueueOptions {
        QueueOptions::default()
    }

    /// Bounds how many items the queue has, those that are leased included. This is Python's `Queue(maxsize)`.
    pub fn capacity(mut self, items: usize) -> QueueOptions {
        self.capacity = Some(items);
        self
    }
}
