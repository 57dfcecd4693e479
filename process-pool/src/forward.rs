//! Passes on what workers write to their standard error to this program's own, in a thread that may have to wait for
//! whoever reads that.
//!
//! The supervisor hands over whole lines, which are written one after the other, so those of two workers never mix.
//! What waits is bounded. While the reader takes something now and then, the supervisor reads no more than fits, and
//! everything arrives. When it has taken nothing for [`STUCK`], nobody waits for it any longer: what does not fit is
//! left out, and how much that was is said in its place as soon as there is room again.

mod output;

use std::{
    io::{self, PipeReader, PipeWriter, Write as _},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use polling::Poller;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{signals, transport::STDERR_AT_ONCE};
use output::Output;

/// So much may wait, and what the supervisor has in hand when it sees that.
const MUCH: usize = 256 << 10;

/// So much may wait where workers have ended, which are read to their end.
const LAST: usize = 4 << 20;

/// A reader that takes nothing for so long is not waited for.
pub(crate) const STUCK: Duration = Duration::from_secs(1);

/// For how long the end of a pool waits for a reader that takes nothing, for one that has taken nothing for long
/// already, and for one that takes little.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_AT_LEAST: Duration = Duration::from_millis(200);
const LINGER_AT_MOST: Duration = Duration::from_secs(5);

/// For how long the end of a pool waits for its thread, which has nothing left to do.
const ENDING: Duration = Duration::from_millis(100);

/// A worker, of those that have been in a place and are going to be.
pub(crate) type WorkerId = (usize, u64);

/// See the [module](self).
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
    /// Told when there is room again.
    supervisor: Arc<Poller>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// How much the thread has taken and not written yet.
    in_hand: usize,
    /// How much was left out since the last line that was not.
    left_out: u64,
    /// Whose unfinished line was handed over last, if it was one.
    unfinished: Option<WorkerId>,
    /// Since when the reader has taken nothing, while something waits for it.
    idle_since: Option<Instant>,
    /// Whether the supervisor waits for room.
    room_is_wanted: bool,
    thread: Option<JoinHandle<()>>,
    /// Ends the thread's wait for the reader.
    bell: Option<PipeWriter>,
    /// Nothing more comes.
    is_closing: bool,
    /// What is left is not to be written any more.
    is_given_up: bool,
}

impl Forwarder {
    pub(crate) fn new(pool: &str, supervisor: Arc<Poller>) -> Forwarder {
        let shared = Shared { state: Mutex::default(), arrived: Condvar::new(), ended: Condvar::new(), supervisor };
        Forwarder { name: format!("{pool}-stderr"), shared: Arc::new(shared) }
    }

    /// Whether a worker's standard error is to be read. If not, the supervisor is told when it is, or looks again after
    /// [`STUCK`].
    pub(crate) fn wants_more(&self) -> bool {
        let mut state = self.shared.state.lock();
        state.room_is_wanted = state.length() > MUCH && !state.is_stuck();
        !state.room_is_wanted
    }

    /// Takes lines of a worker, or a part of one. `is_last` says that the worker has ended.
    pub(crate) fn push(&self, worker: WorkerId, bytes: &[u8], is_last: bool) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.shared.state.lock();
        let most = if is_last && !state.is_stuck() { LAST } else { MUCH + 2 * STDERR_AT_ONCE };
        state.push(worker, bytes, most);
        state.idle_since.get_or_insert_with(Instant::now);
        if state.thread.is_none() && !state.is_closing {
            self.start(&mut state);
        }
        self.shared.arrived.notify_one();
    }

    /// Starts the thread. Where that fails, the next line tries again.
    fn start(&self, state: &mut State) {
        let Ok((woken, bell)) = io::pipe() else { return };
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new().name(self.name.clone());
        let thread = signals::with_all_blocked(|| thread.spawn(move || shared.run(&woken)));
        if let Ok(thread) = thread {
            (state.thread, state.bell) = (Some(thread), Some(bell));
        }
    }

    /// Waits until everything is written, but not for a reader that does not read, and not for longer than until the
    /// deadline. To be called when nothing more comes.
    pub(crate) fn finish(&self, deadline: Option<Instant>) {
        let begun = Instant::now();
        let mut state = self.shared.state.lock();
        state.is_closing = true;
        state.say_what_was_left_out();
        if state.thread.is_none() && !state.waiting.is_empty() && !state.is_given_up {
            self.start(&mut state);
        }
        let Some(thread) = state.thread.take() else { return };
        self.shared.arrived.notify_one();
        while state.bell.is_some() {
            let (least, most) = (begun + LINGER_AT_LEAST, begun + LINGER_AT_MOST);
            let end = state.idle_since.map_or(most, |since| (since + LINGER).clamp(least, most));
            let end = deadline.map_or(end, |deadline| end.min(deadline));
            if self.shared.ended.wait_until(&mut state, end).timed_out() && end <= Instant::now() {
                break;
            }
        }
        state.give_up();
        // It sees that at once, unless it is in a write that blocks. Then it is left behind until that is over.
        self.shared.ended.wait_while_for(&mut state, |state| state.bell.is_some(), ENDING);
        let has_ended = state.bell.is_none();
        drop(state);
        if has_ended {
            // It has nothing left to do, and runs no code of anybody else's.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, woken: &PipeReader) {
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
                    // It is closed, has no room, or nobody can read it any more. That may change.
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
        state.bell = None;
        self.ended.notify_all();
    }

    /// Takes what waits. False: it is over.
    fn next(&self, output: &mut Output, bytes: &mut Vec<u8>) -> bool {
        bytes.clear();
        let mut state = self.state.lock();
        state.in_hand = 0;
        while state.waiting.is_empty() && !state.is_closing {
            state.idle_since = None;
            if output.is_open() {
                MutexGuard::unlocked(&mut state, || output.close());
            } else {
                self.arrived.wait(&mut state);
            }
        }
        if state.is_given_up {
            return false;
        }
        std::mem::swap(&mut state.waiting, bytes);
        // What a burst has taken is not kept.
        state.waiting.shrink_to(STDERR_AT_ONCE);
        state.in_hand = bytes.len();
        !bytes.is_empty()
    }

    /// Notes that the reader has taken something.
    fn wrote(&self, count: usize) {
        let mut state = self.state.lock();
        state.in_hand = state.in_hand.saturating_sub(count);
        state.idle_since = (state.length() > 0).then(Instant::now);
        if state.length() <= MUCH / 2 && std::mem::take(&mut state.room_is_wanted) {
            drop(state);
            // Fails only if the descriptor is gone, and then the supervisor is too.
            let _ = self.supervisor.notify();
        }
    }

    /// Waits until the reader takes something. False: it is given up.
    fn wait_for(&self, output: &Output, woken: &PipeReader, refusals: u32) -> bool {
        /// A terminal may say that it takes something and refuse it all the same, because it makes more of it than it
        /// is given.
        const ODD: u32 = 4;
        let pause = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        let on = output.on();
        let (on_reader, on_bell) = (PollFd::new(&on, PollFlags::OUT), PollFd::new(woken, PollFlags::IN));
        // What fails here fails in the next write too, or is an interruption.
        let _ =
            if refusals <= ODD { poll(&mut [on_reader, on_bell], None) } else { poll(&mut [on_bell], Some(&pause)) };
        !self.state.lock().is_given_up
    }
}

impl State {
    fn length(&self) -> usize {
        self.waiting.len() + self.in_hand
    }

    fn is_stuck(&self) -> bool {
        self.idle_since.is_some_and(|since| since.elapsed() >= STUCK)
    }

    fn push(&mut self, worker: WorkerId, bytes: &[u8], most: usize) {
        let room = most.saturating_sub(self.length());
        let fits = if bytes.len() <= room {
            bytes
        } else {
            // Lines are left out whole, too.
            let end = bytes[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            &bytes[..end]
        };
        if !fits.is_empty() {
            self.say_what_was_left_out();
            self.begin_line_of(worker);
            self.waiting.extend_from_slice(fits);
            self.unfinished = (fits.last() != Some(&b'\n')).then_some(worker);
        }
        self.left_out += (bytes.len() - fits.len()) as u64;
    }

    /// Ends somebody else's unfinished line: what follows is none of it.
    fn begin_line_of(&mut self, worker: WorkerId) {
        if self.unfinished.take().is_some_and(|other| other != worker) {
            self.waiting.push(b'\n');
        }
    }

    fn say_what_was_left_out(&mut self) {
        let count = std::mem::take(&mut self.left_out);
        if count > 0 {
            self.begin_line_of((usize::MAX, 0));
            let text = format!("… {} bytes of worker stderr were left out …\n", grouped(count));
            self.waiting.extend_from_slice(text.as_bytes());
        }
    }

    fn give_up(&mut self) {
        self.is_given_up = true;
        if let Some(bell) = &mut self.bell {
            // A pipe that is empty takes one byte.
            let _ = bell.write_all(&[0]);
        }
    }
}

/// A number with a comma between each three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_said_where_it_is_missing() {
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
    fn an_unfinished_line_is_ended_before_somebody_else_s() {
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
