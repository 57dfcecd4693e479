//! The output of workers as lines for a function of the user: a queue that is bounded in memory, and a splitter for
//! each stream of a worker.
//!
//! A worker writes a mark where a task begins and ends, so each line is handed over with its task, whenever it is read.
//! A mark is a zero byte, the worker's token, the number of the task or 0, and the name of the task, up to the end of
//! the line. The token differs from worker to worker, so no output looks like a mark by accident. A worker that forges
//! one gives its own lines another name.

use std::{collections::VecDeque, sync::Arc};

use executor_core::{TaskId, host};
use parking_lot::Mutex;

use crate::output::{LineFunction, OutputLine};

/// How many bytes of lines wait for the function at most, with what each line costs besides.
const MOST_WAITING: usize = 1 << 20;
const COST_OF_A_LINE: usize = 128;

/// How many lines the function is called with before other callbacks have their turn.
const AT_ONCE: usize = 64;

/// A longer line is cut in pieces.
const LONGEST_LINE: usize = 16 * 1024;

/// The longest mark: a zero byte, two numbers of 16 digits, a name, and the line break.
const LONGEST_MARK: usize = 34 + LONGEST_NAME;

/// The longest name in a mark.
pub(crate) const LONGEST_NAME: usize = 256;

/// The lines of one stream of all workers that wait for the function.
pub(crate) struct Lines {
    function: LineFunction,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<OutputLine>,
    bytes: usize,
    left_out: u64,
    worker_of_left_out: Option<Arc<str>>,
    /// Whether the callback thread will call the function.
    is_scheduled: bool,
}

impl Lines {
    pub(crate) fn new(function: LineFunction) -> Arc<Lines> {
        Arc::new(Lines { function, queue: Mutex::default() })
    }

    /// Adds a line, or counts it if there is no space. Returns `true` if the caller must schedule a delivery.
    #[must_use]
    fn push(&self, mut line: OutputLine) -> bool {
        let mut queue = self.queue.lock();
        let size = line.bytes.len() + COST_OF_A_LINE;
        if queue.bytes + size > MOST_WAITING {
            queue.left_out += line.bytes.len() as u64 + u64::from(line.is_whole);
            queue.worker_of_left_out = Some(line.worker);
            return false;
        }
        line.left_out = std::mem::take(&mut queue.left_out);
        queue.bytes += size;
        queue.waiting.push_back(line);
        !std::mem::replace(&mut queue.is_scheduled, true)
    }

    /// Calls the function with some of the lines. Returns `true` if more wait.
    pub(crate) fn deliver(&self) -> bool {
        for _ in 0..AT_ONCE {
            let Some(line) = self.next() else { return false };
            host::contain(|| (self.function)(line));
        }
        true
    }

    fn next(&self) -> Option<OutputLine> {
        let mut queue = self.queue.lock();
        let line = queue.waiting.pop_front();
        match &line {
            Some(line) => queue.bytes -= line.bytes.len() + COST_OF_A_LINE,
            None => queue.is_scheduled = false,
        }
        line
    }

    /// Tells the function how much was left out after the last line. The caller knows that no worker writes any more.
    pub(crate) fn finish(&self) {
        let mut queue = self.queue.lock();
        let Some(worker) = queue.worker_of_left_out.take() else { return };
        let left_out = std::mem::take(&mut queue.left_out);
        drop(queue);
        if left_out > 0 {
            let last = OutputLine { worker, task: None, bytes: Vec::new(), is_whole: false, left_out };
            host::contain(|| (self.function)(last));
        }
    }
}

/// The beginning of a worker's marks.
pub(crate) fn mark_of(token: u64) -> Vec<u8> {
    format!("\0{token:016x}").into_bytes()
}

/// Returns the mark at the beginning of a task, or at its end if the number is 0.
pub(crate) fn mark(beginning: &[u8], task: u64, name: &str) -> Vec<u8> {
    let mut mark = beginning.to_vec();
    mark.extend_from_slice(format!("{task:016x}").as_bytes());
    let name = &name[..executor_core::boundary::floor(name, LONGEST_NAME)];
    mark.extend(name.bytes().map(|byte| if byte == b'\n' || byte == 0 { b' ' } else { byte }));
    mark.push(b'\n');
    mark
}

/// Removes the marks of a worker from a text.
pub(crate) fn without_marks(beginning: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut text = Vec::with_capacity(bytes.len());
    while let Some(at) = find(rest, beginning) {
        text.extend_from_slice(&rest[..at]);
        let end = rest[at..].iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    text.extend_from_slice(rest);
    text
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    // Most output has no zero byte at all.
    let mut begin = 0;
    while let Some(at) = bytes[begin..].iter().position(|byte| *byte == 0) {
        if bytes[begin + at..].starts_with(wanted) {
            return Some(begin + at);
        }
        begin += at + 1;
    }
    None
}

/// Splits what one stream of a worker contains into lines, and finds the task of each.
#[derive(Debug)]
pub(crate) struct Splitter {
    worker: Arc<str>,
    beginning: Vec<u8>,
    task: Option<(TaskId, Arc<str>)>,
    /// What was read after the last line break.
    rest: Vec<u8>,
}

impl Splitter {
    pub(crate) fn new(worker: &str, beginning: Vec<u8>) -> Splitter {
        Splitter { worker: worker.into(), beginning, task: None, rest: Vec::new() }
    }

    pub(crate) fn beginning(&self) -> &[u8] {
        &self.beginning
    }

    /// Adds bytes that were read. Returns `true` if the caller must schedule a delivery of the lines.
    #[must_use]
    pub(crate) fn push(&mut self, bytes: &[u8], lines: &Lines) -> bool {
        let mut is_due = false;
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut rest = all.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            is_due |= self.take_line(&rest[..end], lines);
            rest = &rest[end + 1..];
        }
        while rest.len() > LONGEST_LINE + LONGEST_MARK {
            // A mark that has not arrived completely stays whole.
            let piece = find(&rest[..LONGEST_LINE], &self.beginning).filter(|at| *at > 0).unwrap_or(LONGEST_LINE);
            is_due |= self.take_text(&rest[..piece], false, lines);
            rest = &rest[piece..];
        }
        self.rest = rest.to_vec();
        is_due
    }

    /// Hands over the rest of a stream that has ended. Returns the same as [`push`](Splitter::push).
    #[must_use]
    pub(crate) fn finish(&mut self, lines: &Lines) -> bool {
        let rest = std::mem::take(&mut self.rest);
        let is_due = self.take_text(&without_marks(&self.beginning, &rest), false, lines);
        self.task = None;
        is_due
    }

    /// Takes a line, whose end may be a mark.
    fn take_line(&mut self, line: &[u8], lines: &Lines) -> bool {
        let Some(at) = find(line, &self.beginning) else { return self.take_text_or_pieces(line, lines) };
        let is_due = self.take_text(&line[..at], false, lines);
        let mark = &line[at + self.beginning.len()..];
        let number = mark.get(..16).and_then(|digits| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        self.task = match number {
            None | Some(0) => None,
            Some(number) => {
                let name = &mark[16..mark.len().min(16 + LONGEST_NAME)];
                Some((TaskId::from_u64(number), String::from_utf8_lossy(name).into()))
            }
        };
        is_due
    }

    fn take_text_or_pieces(&self, line: &[u8], lines: &Lines) -> bool {
        let mut is_due = false;
        let mut rest = line;
        while rest.len() > LONGEST_LINE {
            let (piece, behind) = rest.split_at(LONGEST_LINE);
            is_due |= self.hand_over(piece, false, lines);
            rest = behind;
        }
        is_due | self.hand_over(rest, true, lines)
    }

    fn take_text(&self, text: &[u8], is_whole: bool, lines: &Lines) -> bool {
        !text.is_empty() && self.hand_over(text, is_whole, lines)
    }

    fn hand_over(&self, text: &[u8], is_whole: bool, lines: &Lines) -> bool {
        let (worker, task) = (self.worker.clone(), self.task.clone());
        lines.push(OutputLine { worker, task, bytes: text.to_vec(), is_whole, left_out: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Arc<Mutex<Vec<(String, String, bool, u64)>>>;

    fn lines() -> (Arc<Lines>, Seen) {
        let seen = Seen::default();
        let into = seen.clone();
        let function = move |line: OutputLine| {
            let task = line.task().unwrap_or("-").to_string();
            into.lock().push((task, line.text().into_owned(), line.is_whole(), line.left_out()));
        };
        (Lines::new(Arc::new(function)), seen)
    }

    fn marked() -> Vec<u8> {
        let beginning = mark_of(7);
        let parts: [&[u8]; 8] = [
            b"before\n",
            &mark(&beginning, 5, "one\n\0two"),
            b"a line\nno end",
            &mark(&beginning, 0, ""),
            b"between\n",
            &mark(&beginning, 6, "next"),
            b"\0not a mark\n\n",
            b"the rest",
        ];
        parts.concat()
    }

    #[test]
    fn lines_have_their_tasks_wherever_the_reads_end() {
        let bytes = marked();
        for chunk in [1, 2, 3, 7, 20, bytes.len()] {
            let (lines, seen) = lines();
            let mut splitter = Splitter::new("pool_0", mark_of(7));
            let due: Vec<bool> = bytes.chunks(chunk).map(|part| splitter.push(part, &lines)).collect();
            assert_eq!(due.iter().filter(|due| **due).count(), 1, "one delivery is scheduled");
            assert!(!splitter.finish(&lines));
            while lines.deliver() {}
            let expected = [
                ("-", "before", true),
                ("one  two", "a line", true),
                ("one  two", "no end", false),
                ("-", "between", true),
                ("next", "\0not a mark", true),
                ("next", "", true),
                ("next", "the rest", false),
            ];
            let expected: Vec<_> =
                expected.iter().map(|(task, text, whole)| (task.to_string(), text.to_string(), *whole, 0)).collect();
            assert_eq!(*seen.lock(), expected, "in reads of {chunk}");
        }
        let text = String::from_utf8(without_marks(&mark_of(7), &bytes)).expect("text");
        assert_eq!(text, "before\na line\nno endbetween\n\0not a mark\n\nthe rest");
    }

    #[test]
    fn an_endless_line_is_cut_in_pieces_and_holds_little_memory() {
        let (lines, seen) = lines();
        let mut splitter = Splitter::new("pool_0", mark_of(7));
        for _ in 0..100 {
            let _ = splitter.push(&[b'x'; 1000], &lines);
            assert!(splitter.rest.len() <= LONGEST_LINE + LONGEST_MARK);
        }
        let _ = splitter.push(b"\n", &lines);
        while lines.deliver() {}
        let seen = seen.lock();
        assert_eq!(seen.iter().map(|(_, text, ..)| text.len()).sum::<usize>(), 100_000);
        assert!(seen.iter().rev().skip(1).all(|(_, _, is_whole, _)| !is_whole) && seen.last().expect("one").2);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_said() {
        let (lines, seen) = lines();
        let mut splitter = Splitter::new("pool_0", mark_of(7));
        let long = [&[b'x'; 9999][..], b"\n"].concat();
        for _ in 0..200 {
            let _ = splitter.push(&long, &lines);
        }
        let held = lines.queue.lock().waiting.len();
        assert!((90..110).contains(&held), "{held}");
        while lines.deliver() {}
        assert!(splitter.push(b"after\n", &lines), "it is scheduled again");
        while lines.deliver() {}
        assert_eq!(
            seen.lock().last().expect("a line"),
            &("-".into(), "after".into(), true, (200 - held as u64) * 10_000)
        );
        for _ in 0..200 {
            let _ = splitter.push(&long, &lines);
        }
        while lines.deliver() {}
        lines.finish();
        assert_eq!(
            seen.lock().last().expect("a line"),
            &("-".into(), String::new(), false, (200 - held as u64) * 10_000)
        );
    }
}
