//! How long something is held.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// More helps no one: the connection is probably lost.
const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// How long something is held, as far as this process knows.
///
/// The server lets go of it when it has had no sign of life for some time. This process counts from the moment at which
/// it *sent* the last sign that arrived, and it stops a tenth earlier. So what it takes for held is held, also after it
/// was stopped for a while: the clock goes on meanwhile.
#[derive(Debug)]
pub(super) struct Term {
    length: Duration,
    /// `None` if it was lost. It stays lost, because another process may have had it.
    until: Mutex<Option<Instant>>,
}

impl Term {
    /// `sent` is a moment before the server began to count `lease`.
    pub(super) fn new(sent: Instant, lease: Duration) -> Term {
        let length = lease * 9 / 10;
        Term { length, until: Mutex::new(Some(sent + length)) }
    }

    pub(super) fn is_held(&self) -> bool {
        self.until.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Notes that the server has received a sign of life. It counts only if this process held it all the time.
    pub(super) fn extend(&self, sent: Instant) {
        let mut until = self.until.lock();
        *until = until.filter(|until| Instant::now() < *until).map(|until| until.max(sent + self.length));
    }

    /// Notes that another process may have it.
    pub(super) fn lose(&self) {
        *self.until.lock() = None;
    }

    /// Returns when the next sign of life should be sent, or `None` if it is lost.
    pub(super) fn next_sign(&self) -> Option<Instant> {
        let until = (*self.until.lock()).filter(|until| Instant::now() < *until)?;
        Some(until.checked_sub(self.length * 3 / 5).unwrap_or(until))
    }

    /// Returns how long the server may take for an answer: there must be time for another attempt.
    pub(super) fn answer(&self) -> Duration {
        (self.length / 5).min(LONGEST_ANSWER)
    }

    /// Returns how long to wait before a sign of life that has failed is sent again.
    pub(super) fn pause(&self) -> Duration {
        self.length / 20
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(1000);

    #[test]
    fn a_term_counts_from_the_moment_at_which_its_sign_was_sent() {
        let now = Instant::now();
        let term = Term::new(now, LEASE);
        assert!(term.is_held());
        assert_eq!(term.next_sign(), Some(now + LEASE * 9 / 10 * 2 / 5));
        let Some(earlier) = now.checked_sub(LEASE) else { return };
        assert!(!Term::new(earlier, LEASE).is_held());
        term.extend(earlier);
        assert!(term.is_held(), "an old sign takes nothing away");
    }

    #[test]
    fn what_was_lost_stays_lost() {
        let Some(earlier) = Instant::now().checked_sub(LEASE) else { return };
        let expired = Term::new(earlier, LEASE);
        expired.extend(Instant::now());
        assert!(!expired.is_held() && expired.next_sign().is_none());
        let lost = Term::new(Instant::now(), LEASE);
        lost.lose();
        lost.extend(Instant::now());
        assert!(!lost.is_held() && lost.next_sign().is_none());
    }
}
