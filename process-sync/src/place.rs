//! Places in the code at which a test can stop a process, to kill it there.

/// A place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The lock is held, and the bytes of an item are not written.
    BeforeBytes,
    /// All is prepared, and does not count.
    BeforeCommit,
    /// It counts, and the lock is held.
    AfterCommit,
    /// The lock is released, and no thread is woken.
    BeforeNotification,
    /// The thread is about to sleep.
    BeforeSleep,
}

/// Does nothing but in the unit tests.
#[inline(always)]
pub(crate) fn place(place: Place) {
    #[cfg(test)]
    tests::pass(place);
    #[cfg(not(test))]
    let _ = place;
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::Place;

    /// Where the process stops, and what it does there.
    type Stop = (Place, fn() -> !);

    static STOP: Mutex<Option<Stop>> = Mutex::new(None);

    /// Stops the process at a place, the next time that it passes there.
    pub(crate) fn stop_at(place: Place, stop: fn() -> !) {
        *STOP.lock().unwrap() = Some((place, stop));
    }

    pub(super) fn pass(place: Place) {
        let stop = *STOP.lock().unwrap();
        match stop {
            Some((chosen, stop)) if chosen == place => stop(),
            _ => {}
        }
    }
}
