//! A worker's standard error. Its tail is kept in case the worker dies, and all of it is passed to the
//! [`forward`](crate::forward) thread, line by line.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    forward::{Forwarder, WorkerId},
    lines,
};

/// The length of the tail: enough for a long backtrace and what led to it.
const KEPT: usize = 32 * 1024;

/// A longer line is forwarded in pieces.
const LONGEST_LINE: usize = 16 * 1024;

/// An unfinished line is forwarded after this time, because it may be a prompt or a progress bar.
const LINE_TIMEOUT: Duration = Duration::from_millis(200);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Tail {
    kept: VecDeque<u8>,
    /// How many bytes were read.
    total: u64,
    /// The beginning of an unfinished line, and when it was read.
    unfinished: Vec<u8>,
    since: Option<Instant>,
}

impl Tail {
    /// Keeps and forwards bytes that were read.
    pub(super) fn push(&mut self, bytes: &[u8], worker: WorkerId, forwarder: &Forwarder, is_last: bool) {
        self.keep(bytes);
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (lines, rest) = bytes.split_at(end);
        if self.unfinished.is_empty() {
            forwarder.push(worker, lines, is_last);
        } else if !lines.is_empty() {
            // Both halves are forwarded together, so that no other line comes between them.
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

    /// Forwards the unfinished line.
    pub(super) fn flush(&mut self, worker: WorkerId, forwarder: &Forwarder, is_last: bool) {
        forwarder.push(worker, &self.unfinished, is_last);
        self.unfinished.clear();
        self.unfinished.shrink_to(LONGEST_LINE);
        self.since = None;
    }

    /// Returns when to [forward](Tail::flush) the unfinished line, if there is one.
    pub(super) fn line_is_due(&self) -> Option<Instant> {
        self.since.map(|since| since + LINE_TIMEOUT)
    }

    /// Keeps bytes that were read.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let excess = (self.kept.len() + bytes.len()).saturating_sub(KEPT);
        self.kept.drain(..excess);
        self.kept.extend(bytes);
    }

    /// Returns how many bytes were read.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Returns what was read after the first `boundary` bytes, as far as it is kept, without the marks that begin like
    /// this.
    pub(super) fn since(&self, boundary: u64, mark: Option<&[u8]>) -> String {
        let wanted = usize::try_from(self.total.saturating_sub(boundary)).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = self.kept.iter().copied().skip(self.kept.len().saturating_sub(wanted)).collect();
        let bytes = match mark {
            Some(mark) => lines::without_marks(mark, &bytes),
            None => bytes,
        };
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
        let text = tail.since(0, None);
        assert!(text.len() == KEPT && text.ends_with("line 9998\nline 9999\n"));
        assert_eq!(tail.total(), lines.iter().map(|line| line.len() as u64).sum::<u64>());
    }

    #[test]
    fn nothing_before_the_boundary_is_returned_wherever_the_boundary_is() {
        let tail = kept(&["before\n", "after\n"]);
        assert_eq!(tail.since(7, None), "after\n");
        assert_eq!((tail.since(0, None).as_str(), tail.since(13, None).as_str()), ("before\nafter\n", ""));
        // The boundary comes from the worker, which may write any number there.
        assert_eq!(tail.since(u64::MAX, None), "");
    }
}
