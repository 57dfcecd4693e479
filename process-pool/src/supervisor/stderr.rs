//! What a worker writes to its standard error: the last part is kept for the case of its death, and all of it is handed
//! to the [`forward`](crate::forward) thread, line by line.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::forward::{Forwarder, WorkerId};

/// How much of what a worker has written is kept: so much that what led to a backtrace is still among it.
const KEPT: usize = 32 * 1024;

/// A line that is longer is handed on in pieces.
const LONGEST_LINE: usize = 16 * 1024;

/// So long a line may take to be written. What there is of it is handed on then: it may be a question, or a progress.
const PATIENCE: Duration = Duration::from_millis(200);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Tail {
    kept: VecDeque<u8>,
    /// How many bytes have come.
    total: u64,
    /// The beginning of a line whose end has not come, and when it came.
    unfinished: Vec<u8>,
    since: Option<Instant>,
}

impl Tail {
    /// Takes what has come.
    pub(super) fn take(&mut self, bytes: &[u8], worker: WorkerId, forwarder: &Forwarder, is_last: bool) {
        self.keep(bytes);
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (lines, rest) = bytes.split_at(end);
        if self.unfinished.is_empty() {
            forwarder.push(worker, lines, is_last);
        } else if !lines.is_empty() {
            // As one, so that nothing comes between the two halves of a line.
            self.unfinished.extend_from_slice(lines);
            self.flush(worker, forwarder, is_last);
        }
        self.unfinished.extend_from_slice(rest);
        if self.unfinished.len() > LONGEST_LINE {
            self.flush(worker, forwarder, is_last);
        }
        if !self.unfinished.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
    }

    /// Hands on a line that has not ended.
    pub(super) fn flush(&mut self, worker: WorkerId, forwarder: &Forwarder, is_last: bool) {
        forwarder.push(worker, &self.unfinished, is_last);
        self.unfinished.clear();
        self.unfinished.shrink_to(LONGEST_LINE);
        self.since = None;
    }

    /// When a line that has not ended is to be [handed on](Tail::flush), if there is one.
    pub(super) fn line_is_due(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let excess = (self.kept.len() + bytes.len()).saturating_sub(KEPT);
        self.kept.drain(..excess);
        self.kept.extend(bytes);
    }

    /// How many bytes have come.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What has come behind so many bytes, as far as it is kept.
    pub(super) fn since(&self, boundary: u64) -> String {
        let wanted = usize::try_from(self.total.saturating_sub(boundary)).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = self.kept.iter().copied().skip(self.kept.len().saturating_sub(wanted)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(parts: &[&str]) -> Tail {
        let mut tail = Tail::default();
        parts.iter().for_each(|part| tail.keep(part.as_bytes()));
        tail
    }

    #[test]
    fn the_last_bytes_are_kept() {
        let lines: Vec<String> = (0..10_000).map(|line| format!("line {line}\n")).collect();
        let tail = kept(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let text = tail.since(0);
        assert!(text.len() == KEPT && text.ends_with("line 9998\nline 9999\n"));
        assert_eq!(tail.total(), lines.iter().map(|line| line.len() as u64).sum::<u64>());
    }

    #[test]
    fn what_came_before_a_boundary_is_not_told_wherever_it_is() {
        let tail = kept(&["before\n", "after\n"]);
        assert_eq!(tail.since(7), "after\n");
        assert_eq!((tail.since(0).as_str(), tail.since(13).as_str()), ("before\nafter\n", ""));
        // A worker may write anything there.
        assert_eq!(tail.since(u64::MAX), "");
    }
}
