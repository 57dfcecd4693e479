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

/// How much of a worker's last words is kept.
const KEPT: usize = 4096;

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
            let (front, _) = self.unsent.as_slices();
            match rustix::io::write(stderr, &front[..front.len().min(PIECE)]) {
                Ok(count) => drop(self.unsent.drain(..count)),
                // A standard error that is closed takes nothing any more.
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// The last lines.
    pub(super) fn last_lines(&self) -> String {
        let bytes: Vec<u8> = self.kept.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
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
        let lines = tail.last_lines();
        assert_eq!(lines.lines().count(), LINES);
        assert!(lines.ends_with("line 999"));
    }
}
