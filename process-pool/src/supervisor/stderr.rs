//! What workers write to their standard error: passed on to this process's own, with the last lines kept.

use std::collections::VecDeque;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The last part of what a worker has written.
#[derive(Debug, Default)]
pub(super) struct Tail {
    kept: VecDeque<u8>,
    /// What this process's standard error has not taken yet.
    unsent: VecDeque<u8>,
}

/// How much of a worker's last words is kept: so much that what led to a backtrace is still among them.
const KEPT: usize = 32 * 1024;

/// How many lines of it an error shows.
const LINES: usize = 16;

/// How much waits for a standard error that takes nothing. What is older is lost: nobody reads it, and a worker's noise
/// must not fill the memory.
const UNSENT: usize = 64 * 1024;

impl Tail {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        append(&mut self.kept, bytes, KEPT);
        append(&mut self.unsent, bytes, UNSENT);
        self.pass_on();
    }

    /// Writes to the standard error what it takes without blocking: the supervisor must not wait for whoever reads it.
    pub(super) fn pass_on(&mut self) {
        // A pipe that is ready takes this much without blocking.
        const PIECE: usize = 4096;
        let stderr = rustix::stdio::stderr();
        while !self.unsent.is_empty() {
            let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            if !poll(&mut ready, Some(&now)).is_ok_and(|count| count > 0) {
                return;
            }
            // Nobody reads it any more, and a program may be so that to write all the same would be its end.
            if ready[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
                return self.unsent.clear();
            }
            let (front, _) = self.unsent.as_slices();
            match rustix::io::write(stderr, &front[..front.len().min(PIECE)]) {
                Ok(count) => drop(self.unsent.drain(..count)),
                // A standard error that is closed takes nothing any more.
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// Everything that is kept.
    pub(super) fn last_words(&self) -> String {
        let bytes: Vec<u8> = self.kept.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The last lines of a worker's words. A backtrace is left out: it hides what led to it.
pub(super) fn last_lines(words: &str) -> String {
    let lines: Vec<&str> = words.lines().filter(|line| !is_frame(line)).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n").trim().to_string()
}

/// Whether this is a line of a backtrace of Rust's: `  12: function`, or `             at file:line:column`.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let is_indented = text.len() < line.len();
    let number = text.trim_start_matches(|character: char| character.is_ascii_digit());
    is_indented && (text.starts_with("at ") || number.len() < text.len() && number.starts_with(": "))
}

fn append(to: &mut VecDeque<u8>, bytes: &[u8], most: usize) {
    let bytes = &bytes[bytes.len().saturating_sub(most)..];
    let excess = (to.len() + bytes.len()).saturating_sub(most);
    to.drain(..excess);
    to.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let mut kept = VecDeque::new();
        for line in 0..1000 {
            append(&mut kept, format!("line {line}\n").as_bytes(), KEPT);
        }
        assert!(kept.len() <= KEPT);
        let tail = Tail { kept, unsent: VecDeque::new() };
        let lines = last_lines(&tail.last_words());
        assert_eq!(lines.lines().count(), LINES);
        assert!(lines.ends_with("line 999"));
    }

    #[test]
    fn a_backtrace_does_not_hide_what_led_to_it() {
        let words = "memory allocation of 8 bytes failed\nstack backtrace:\n   0: one\n             at ./file.rs:1:2\n";
        assert_eq!(last_lines(words), "memory allocation of 8 bytes failed\nstack backtrace:");
        assert_eq!(last_lines("  at work\n7: seven\n  note: this"), "7: seven\n  note: this");
    }
}
