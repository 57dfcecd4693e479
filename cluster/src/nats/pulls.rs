//! The messages for which an agent has asked the engine.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// For how long a request for messages is valid.
pub(super) const VALID: Duration = Duration::from_secs(10);

/// After this time the engine has ended a request, even if it has not said so.
const FORGOTTEN: Duration = Duration::from_secs(15);

/// The requests of an agent that the engine may still fill.
///
/// The engine says how many messages of a request will not come, but a leader that is gone says nothing. An agent that
/// counted on its answer would take fewer tasks than it can, for ever. So what is older than any valid request does not
/// count.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    next: u64,
    /// Those that may be valid: the number, how many messages, and when.
    requests: VecDeque<(u64, usize, Instant)>,
    /// How many messages may still come.
    outstanding: usize,
}

impl Pulls {
    /// Notes a request, and returns its number.
    pub(super) fn request(&mut self, messages: usize, now: Instant) -> u64 {
        self.next += 1;
        self.requests.push_back((self.next, messages, now));
        self.outstanding += messages;
        self.next
    }

    /// So many messages have come.
    pub(super) fn delivered(&mut self, messages: usize) {
        self.outstanding = self.outstanding.saturating_sub(messages);
    }

    /// A request has ended. `missing` is how many of its messages will not come, if the engine says so. Returns how
    /// many will not come.
    #[must_use = "the agent must know how many messages will not come"]
    pub(super) fn ended(&mut self, number: u64, missing: Option<usize>) -> usize {
        let Ok(at) = self.requests.binary_search_by_key(&number, |(number, ..)| *number) else { return 0 };
        let Some((_, messages, _)) = self.requests.remove(at) else { return 0 };
        let missing = missing.unwrap_or(messages).min(messages).min(self.outstanding);
        self.outstanding -= missing;
        missing
    }

    /// Forgets what can no longer be valid. Returns how many messages will not come, although no one has said so.
    #[must_use = "the agent must know how many messages will not come"]
    pub(super) fn expired(&mut self, now: Instant) -> usize {
        while self.requests.front().is_some_and(|(.., then)| now.duration_since(*then) >= FORGOTTEN) {
            self.requests.pop_front();
        }
        let valid: usize = self.requests.iter().map(|(_, messages, _)| messages).sum();
        let missing = self.outstanding.saturating_sub(valid);
        self.outstanding -= missing;
        missing
    }

    /// Forgets everything, because the connection is another one.
    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.outstanding = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_says_will_not_come_counts_once() {
        let mut pulls = Pulls::default();
        let now = Instant::now();
        let (one, two) = (pulls.request(4, now), pulls.request(2, now));
        pulls.delivered(1);
        assert_eq!(pulls.ended(one, Some(3)), 3);
        assert_eq!(pulls.ended(one, None), 0, "it has ended already");
        assert_eq!(pulls.ended(two, None), 2);
        assert_eq!((pulls.ended(99, None), pulls.expired(now)), (0, 0));
    }

    #[test]
    fn what_the_engine_never_said_ends_too() {
        let mut pulls = Pulls::default();
        let now = Instant::now();
        pulls.request(4, now);
        pulls.delivered(1);
        assert_eq!(pulls.expired(now + FORGOTTEN / 2), 0);
        pulls.request(2, now + FORGOTTEN / 2);
        assert_eq!(pulls.expired(now + FORGOTTEN), 3);
        assert_eq!(pulls.expired(now + FORGOTTEN * 2), 2);
        pulls.request(4, now);
        pulls.clear();
        assert_eq!(pulls.expired(now + FORGOTTEN * 4), 0);
    }
}
