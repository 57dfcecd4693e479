//! Places in the code at which a test can stop a process, to kill it there.

/// A place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The thread is about to take the lock.
    BeforeLock,
    /// The lock is held, and nothing is written.
    Inside,
    /// The lock is held, and the bytes of an item are not written.
    BeforeBytes,
    /// All is written, and does not count.
    BeforeCommit,
    /// It counts, and the lock is held.
    AfterCommit,
    /// The lock is released, and no thread is woken.
    BeforeNotification,
    /// The thread is about to sleep.
    BeforeSleep,
    /// The thread is awake again, and knows nothing yet.
    AfterSleep,
    /// Code of the user runs. Only tests pass here.
    #[cfg(test)]
    UserCode,
}

/// Does nothing but in the unit tests.
#[inline(always)]
pub(crate) fn place(place: Place) {
    #[cfg(all(test, not(loom)))]
    tests::pass(place);
    #[cfg(not(all(test, not(loom))))]
    let _ = place;
}

#[cfg(all(test, not(loom)))]
pub(crate) mod tests {
    use std::cell::RefCell;

    use super::Place;

    /// What a thread does when it passes a place.
    type Watch = Box<dyn FnMut(Place)>;

    thread_local! {
        static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
    }

    /// Calls this at each place that the calling thread passes from now on.
    pub(crate) fn watch(watch: impl FnMut(Place) + 'static) {
        WATCH.set(Some(Box::new(watch)));
    }

    pub(super) fn pass(place: Place) {
        // It is taken out meanwhile, because it may panic, and may pass places itself.
        let Ok(Some(mut watch)) = WATCH.try_with(RefCell::take) else { return };
        watch(place);
        WATCH.set(Some(watch));
    }
}
