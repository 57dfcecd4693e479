//! Forwarding the standard error of workers to this program's own, in a thread that may have to wait for its reader.
//!
//! The supervisor hands over whole lines, which are written one after the other, so the lines of two workers never mix.
//! The number of waiting bytes is bounded. As long as the reader takes bytes, the supervisor reads no more than fits,
//! and everything arrives. When the reader has taken nothing for [`STUCK`], the pool stops waiting for it: lines that
//! do not fit are left out, and the stream says how much is missing as soon as there is space again.

use std::{
    io,
    os::fd::OwnedFd,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{
    sys::{pipe, poller::Poller, signals, stderr::Output},
    transport::STDERR_CHUNK,
};

/// How many bytes may wait, besides those that the supervisor has read by the time it notices.
const MOST_WAITING: usize = 256 << 10;

/// How many bytes may wait when workers have ended, because their output is read to its end.
const MOST_WAITING_AT_END: usize = 4 << 20;

/// The pool stops waiting for a reader that takes nothing for this long.
pub(crate) const STUCK: Duration = Duration::from_secs(1);

/// How long the end of a pool waits for a reader that takes nothing, counted from the last byte that it took.
const LINGER: Duration = Duration::from_secs(1);
/// How long it waits at least, even for a reader that took nothing long before the end.
const LINGER_AT_LEAST: Duration = Duration::from_millis(200);
/// How long it waits at most, even for a slow reader.
const LINGER_AT_MOST: Duration = Duration::from_secs(5);

/// How long the end of a pool waits for its thread, which has nothing left to do.
const ENDING: Duration = Duration::from_millis(100);

/// A worker: its slot, and its number among the workers that the slot has had.
pub(crate) type WorkerId = (usize, u64);

/// The queue of lines, and the thread that writes them.
pub(crate) struct Forwarder {
    name: String,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Notified when there is something to write, and at the end.
    arrived: Condvar,
    /// Notified when the thread has ended.
    ended: Condvar,
    /// Notified when there is space again.
    supervisor: Arc<Poller>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// How many bytes the thread has taken and not yet written.
    being_written: usize,
    /// How many bytes were left out since the last line that was forwarded.
    left_out: u64,
    /// The worker whose line was handed over last, if that line is unfinished.
    unfinished: Option<WorkerId>,
    /// Since when the reader has taken nothing although bytes wait for it.
    idle_since: Option<Instant>,
    /// Whether the supervisor waits for space.
    space_is_wanted: bool,
    thread: Option<JoinHandle<()>>,
    /// Ends the thread's wait for the reader. The thread drops it when it ends.
    doorbell: Option<OwnedFd>,
    /// Whether no more lines are handed over.
    is_closing: bool,
    /// Whether the remaining bytes must no longer be written.
    is_abandoned: bool,
}

impl Forwarder {
    pub(crate) fn new(pool: &str, supervisor: Arc<Poller>) -> Forwarder {
        let shared = Shared { state: Mutex::default(), arrived: Condvar::new(), ended: Condvar::new(), supervisor };
        Forwarder { name: format!("{pool}-stderr"), shared: Arc::new(shared) }
    }

    /// Returns `true` if the supervisor may read the standard error of a worker now. If not, the supervisor is notified
    /// when it may, or asks again after [`STUCK`].
    pub(crate) fn wants_more(&self) -> bool {
        let mut state = self.shared.state.lock();
        state.space_is_wanted = state.length() > MOST_WAITING && !state.is_stuck();
        !state.space_is_wanted
    }

    /// Takes lines of a worker, or a part of a line. `is_last` says that the worker has ended.
    pub(crate) fn push(&self, worker: WorkerId, bytes: &[u8], is_last: bool) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.shared.state.lock();
        let waits_for_reader = is_last && !state.is_stuck();
        let most = if waits_for_reader { MOST_WAITING_AT_END } else { MOST_WAITING + 2 * STDERR_CHUNK };
        state.push(worker, bytes, most);
        state.idle_since.get_or_insert_with(Instant::now);
        if state.thread.is_none() && !state.is_closing {
            self.start(&mut state);
        }
        self.shared.arrived.notify_one();
    }

    /// Starts the thread. If that fails, the next line tries again.
    fn start(&self, state: &mut State) {
        let Ok((woken, doorbell)) = pipe::new_pipe() else { return };
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new().name(self.name.clone());
        let thread = signals::with_all_blocked(|| thread.spawn(move || shared.run(&woken)));
        if let Ok(thread) = thread {
            (state.thread, state.doorbell) = (Some(thread), Some(doorbell));
        }
    }

    /// Waits until everything is written, but not for a reader that does not read, and not past the deadline. Nothing
    /// may be handed over afterwards.
    pub(crate) fn finish(&self, deadline: Option<Instant>) {
        let begun = Instant::now();
        let mut state = self.shared.state.lock();
        state.is_closing = true;
        state.report_what_was_left_out();
        if state.thread.is_none() && !state.waiting.is_empty() && !state.is_abandoned {
            self.start(&mut state);
        }
        let Some(thread) = state.thread.take() else { return };
        self.shared.arrived.notify_one();
        while state.doorbell.is_some() {
            let (least, most) = (begun + LINGER_AT_LEAST, begun + LINGER_AT_MOST);
            let end = state.idle_since.map_or(most, |since| (since + LINGER).clamp(least, most));
            let end = deadline.map_or(end, |deadline| end.min(deadline));
            if self.shared.ended.wait_until(&mut state, end).timed_out() && end <= Instant::now() {
                break;
            }
        }
        state.abandon();
        // The thread notices that immediately, unless it is in a write that blocks. Then it ends after that write.
        self.shared.ended.wait_while_for(&mut state, |state| state.doorbell.is_some(), ENDING);
        let has_ended = state.doorbell.is_none();
        drop(state);
        if has_ended {
            // The thread has nothing left to do, and runs no user code.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, woken: &OwnedFd) {
        let mut output = Output::default();
        let mut bytes = Vec::new();
        while self.next(&mut output, &mut bytes) {
            let (mut rest, mut refusals) = (bytes.as_slice(), 0);
            while !rest.is_empty() {
                match output.write(rest) {
                    Ok(count) => {
                        (rest, refusals) = (&rest[count..], 0);
                        self.wrote(count);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        refusals += 1;
                        if !self.wait_for(&output, woken, refusals) {
                            break;
                        }
                    }
                    // The standard error is closed, its disk is full, or its reader is gone. A later write may succeed.
                    Err(_) => {
                        self.state.lock().left_out += rest.len() as u64;
                        self.wrote(rest.len());
                        break;
                    }
                }
            }
        }
        output.close();
        let mut state = self.state.lock();
        state.doorbell = None;
        self.ended.notify_all();
    }

    /// Waits for bytes and takes them. Returns `false` at the end.
    fn next(&self, output: &mut Output, bytes: &mut Vec<u8>) -> bool {
        bytes.clear();
        let mut state = self.state.lock();
        state.being_written = 0;
        while state.waiting.is_empty() && !state.is_closing {
            state.idle_since = None;
            if output.is_open() {
                MutexGuard::unlocked(&mut state, || output.close());
            } else {
                self.arrived.wait(&mut state);
            }
        }
        if state.is_abandoned {
            return false;
        }
        std::mem::swap(&mut state.waiting, bytes);
        // Frees the memory that a burst has needed.
        state.waiting.shrink_to(STDERR_CHUNK);
        state.being_written = bytes.len();
        !bytes.is_empty()
    }

    /// Notes that the reader has taken bytes.
    fn wrote(&self, count: usize) {
        let mut state = self.state.lock();
        state.being_written = state.being_written.saturating_sub(count);
        state.idle_since = (state.length() > 0).then(Instant::now);
        if state.length() <= MOST_WAITING / 2 && std::mem::take(&mut state.space_is_wanted) {
            drop(state);
            // It fails only if the descriptor is closed, and then the supervisor has ended.
            let _ = self.supervisor.notify();
        }
    }

    /// Waits until the reader takes bytes. Returns `false` if the rest is abandoned.
    fn wait_for(&self, output: &Output, woken: &OwnedFd, refusals: u32) -> bool {
        /// After this many refusals the thread waits for some time instead of for readiness. A terminal may be ready
        /// and still refuse bytes, because it expands them.
        const MOST_REFUSALS: u32 = 4;
        const PAUSE: Duration = Duration::from_millis(10);
        if refusals <= MOST_REFUSALS {
            pipe::wait_for_space(output.descriptor(), woken);
        } else {
            pipe::wait_for_bytes(woken, PAUSE);
        }
        !self.state.lock().is_abandoned
    }
}

impl State {
    fn length(&self) -> usize {
        self.waiting.len() + self.being_written
    }

    fn is_stuck(&self) -> bool {
        self.idle_since.is_some_and(|since| since.elapsed() >= STUCK)
    }

    fn push(&mut self, worker: WorkerId, bytes: &[u8], most: usize) {
        let space = most.saturating_sub(self.length());
        let fits = if bytes.len() <= space {
            bytes
        } else {
            // Only whole lines are left out.
            let end = bytes[..space].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            &bytes[..end]
        };
        if !fits.is_empty() {
            self.report_what_was_left_out();
            self.begin_line_of(worker);
            self.waiting.extend_from_slice(fits);
            self.unfinished = (fits.last() != Some(&b'\n')).then_some(worker);
        }
        self.left_out += (bytes.len() - fits.len()) as u64;
    }

    /// Ends an unfinished line of another worker, because the following bytes are not part of it.
    fn begin_line_of(&mut self, worker: WorkerId) {
        if self.unfinished.take().is_some_and(|other| other != worker) {
            self.waiting.push(b'\n');
        }
    }

    fn report_what_was_left_out(&mut self) {
        let count = std::mem::take(&mut self.left_out);
        if count > 0 {
            self.begin_line_of((usize::MAX, 0));
            let text = format!("… {} bytes of worker stderr were left out …\n", grouped(count));
            self.waiting.extend_from_slice(text.as_bytes());
        }
    }

    fn abandon(&mut self) {
        self.is_abandoned = true;
        if let Some(doorbell) = &self.doorbell {
            // An empty pipe takes one byte.
            let _ = pipe::write_byte(doorbell);
        }
    }
}

/// Returns a number with a comma between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_reported_where_it_is_missing() {
        let mut state = State::default();
        state.push((0, 1), b"one\n", 10);
        state.push((1, 1), b"two\nthree\nfour\n", 10);
        assert_eq!((state.waiting.as_slice(), state.left_out), (b"one\ntwo\n".as_slice(), 11));
        state.push((1, 1), b"five\n", 10);
        assert_eq!(state.left_out, 16);
        state.push((0, 1), b"six\n", 1000);
        let text = String::from_utf8(std::mem::take(&mut state.waiting)).expect("text");
        assert_eq!(text, "one\ntwo\n… 16 bytes of worker stderr were left out …\nsix\n");
    }

    #[test]
    fn an_unfinished_line_is_ended_before_that_of_another_worker() {
        let mut state = State::default();
        for (worker, bytes) in [(0, "10 %"), (0, " 20 %"), (1, "other\n"), (0, " 30 %\n"), (1, "end"), (2, "last\n")] {
            state.push((worker, 1), bytes.as_bytes(), 1000);
        }
        let text = String::from_utf8(state.waiting).expect("text");
        assert_eq!(text, "10 % 20 %\nother\n 30 %\nend\nlast\n");
    }

    #[test]
    fn numbers_are_grouped() {
        let numbers = [0, 999, 1000, 12_345, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
