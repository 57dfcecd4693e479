//! The time of a state machine.

use std::time::Duration;

/// The longest step of the clock. A machine is told the time several times a second, so a longer step means that its
/// process was stopped, or its computer asleep.
const LONGEST_STEP: Duration = Duration::from_millis(500);

/// A clock that runs only while its process does.
///
/// A process that was stopped for a minute has not waited for an answer for a minute: the answer may lie in its socket.
/// So it must not conclude that the other side is gone.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    told: Duration,
    now: Duration,
}

impl Clock {
    /// Tells the time since the process began. A time that is earlier than the last one changes nothing.
    pub(crate) fn advance(&mut self, told: Duration) {
        self.now += told.saturating_sub(self.told).min(LONGEST_STEP);
        self.told = self.told.max(told);
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn since(&self, then: Duration) -> Duration {
        self.now.saturating_sub(then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_process_does_not_wait() {
        let mut clock = Clock::default();
        for told in [100, 200, 60_000, 60_100, 50_000, 60_200] {
            clock.advance(Duration::from_millis(told));
        }
        assert_eq!(clock.now(), Duration::from_millis(100 + 100 + 500 + 100 + 100));
        assert_eq!(clock.since(Duration::from_millis(300)), Duration::from_millis(600));
    }
}
