//! A barrier: threads and processes wait until all of them have come.

use std::{fmt, sync::Arc, time::Duration};

use executor_core::{Error, ErrorKind, deadline};

use crate::{
    errors,
    ledger::{Ledger, Opened},
    object::{Kind, Object, STATE, impl_handle},
    sleep::EventCount,
    waiting::{Attempt, Sleep, wait_until},
};

static KIND: Kind = Kind {
    name: "barrier",
    file: c"concurrent-futures-barrier",
    length: 12288,
    is_mapped_whole: false,
    on_death: |object| LEDGER.on_death(object, &[EVENTS]),
};

/// The processes whose threads wait, and these words.
const LEDGER: Ledger<6> = Ledger::at(STATE);
const EVENTS: EventCount = EventCount::at(LEDGER.end());
const PARTIES: usize = 1;
/// The number of the round, which begins when the one before was completed or reset.
const ROUND: usize = 2;
/// For each of the last 64 rounds, whether it was completed.
const COMPLETED: usize = 3;
const ROUNDS: u64 = 64;
const IS_BROKEN: usize = 4;

/// A barrier for a number of parties: each waits until all have come, and then all go on.
///
/// A party whose process dies while it waits, or whose time runs out, breaks the barrier: all others get
/// [`Broken`](ErrorKind::Broken) until [`reset`](Barrier::reset).
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::Barrier;
/// let barrier = Barrier::new(2)?;
/// let indices = std::thread::scope(|scope| {
///     let other = scope.spawn(|| barrier.wait(None));
///     [barrier.wait(None), other.join().unwrap()]
/// });
/// let [mine, other] = indices.map(Result::unwrap);
/// assert_eq!(mine + other, 1, "one is 0 and one is 1");
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct Barrier {
    object: Arc<Object>,
}

impl_handle!(Barrier, &KIND, 0);

impl Barrier {
    /// Makes a barrier for so many parties.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for no parties, and if the system refuses memory or descriptors.
    pub fn new(parties: usize) -> Result<Barrier, Error> {
        if parties == 0 {
            return Err(errors::invalid_argument("a barrier needs at least one party"));
        }
        let object = Object::create(&KIND, 0, |object| {
            let mut state = LEDGER.open(object);
            *state.word(PARTIES) = parties as u64;
            state.commit();
        })?;
        Ok(Barrier::with(object))
    }

    fn with(object: Arc<Object>) -> Barrier {
        Barrier { object }
    }

    /// Waits until all parties have come. Returns an index, which is another one for each party, from 0 on in the order
    /// in which they came.
    ///
    /// # Errors
    ///
    /// - [`Timeout`](ErrorKind::Timeout) for the party whose time ran out, which breaks the barrier.
    /// - [`Broken`](ErrorKind::Broken) if the barrier is broken or reset, and in a forked child.
    pub fn wait(&self, timeout: impl Into<Option<Duration>>) -> Result<usize, Error> {
        self.object.check()?;
        let deadline = deadline::after(timeout.into());
        let mut arrived = None;
        let attempt = |attempt| match arrived {
            Some((round, index)) => Ok(self.outcome(round, attempt)?.then_some(index)),
            None => {
                let (round, index, is_last) = self.arrive()?;
                arrived = Some((round, index));
                Ok(is_last.then_some(index))
            }
        };
        match wait_until(&self.object, EVENTS, Sleep::for_holder(), deadline, attempt)? {
            Some(index) => Ok(index),
            None => self.give_up(arrived),
        }
    }

    /// Breaks the barrier: all that wait, and all that come, get an error.
    pub fn abort(&self) {
        if self.object.member.is_here() {
            self.break_round(LEDGER.open(&self.object));
        }
    }

    /// Makes the barrier as new. Those that wait get [`Broken`](ErrorKind::Broken).
    pub fn reset(&self) {
        if !self.object.member.is_here() {
            return;
        }
        let mut state = LEDGER.open(&self.object);
        *state.word(IS_BROKEN) = 0;
        end_round(&mut state, false);
        self.commit(state);
    }

    /// Returns how many parties the barrier is for.
    pub fn parties(&self) -> usize {
        LEDGER.look(&self.object)[PARTIES] as usize
    }

    /// Returns how many parties wait now.
    pub fn waiting(&self) -> usize {
        if !self.object.member.is_here() {
            return 0;
        }
        LEDGER.open(&self.object).holders.total() as usize
    }

    /// Returns `true` if the barrier is broken.
    pub fn is_broken(&self) -> bool {
        LEDGER.look(&self.object)[IS_BROKEN] != 0
    }

    /// Returns the round, the index of this party, and whether it completes the round.
    fn arrive(&self) -> Result<(u64, usize, bool), Error> {
        let mut state = LEDGER.open(&self.object);
        if *state.word(IS_BROKEN) != 0 {
            return Err(broken());
        }
        // A dead party must not be counted as one of those that go on.
        if state.holders.sweep(&self.object.member) > 0 {
            self.break_round(state);
            return Err(broken());
        }
        let (round, index) = (*state.word(ROUND), state.holders.total());
        let is_last = index + 1 >= *state.word(PARTIES);
        if is_last {
            end_round(&mut state, true);
            self.commit(state);
        } else {
            state.add(1)?;
            state.commit();
        }
        Ok((round, index as usize, is_last))
    }

    /// Returns `true` if the round was completed. `false` means that it has not ended.
    fn outcome(&self, round: u64, attempt: Attempt) -> Result<bool, Error> {
        let mut state = LEDGER.open(&self.object);
        let ended = state.word(ROUND).wrapping_sub(round);
        if ended != 0 {
            let is_known = ended <= ROUNDS;
            let was_completed = *state.word(COMPLETED) >> (round % ROUNDS) & 1 == 1;
            return if is_known && was_completed { Ok(true) } else { Err(broken()) };
        }
        if *state.word(IS_BROKEN) != 0 {
            return Err(broken());
        }
        if attempt == Attempt::BeforeSleep && state.holders.sweep(&self.object.member) > 0 {
            self.break_round(state);
            return Err(broken());
        }
        Ok(false)
    }

    /// Breaks the barrier because the time of this party is over, unless its round has just ended.
    fn give_up(&self, arrived: Option<(u64, usize)>) -> Result<usize, Error> {
        match arrived {
            Some((round, index)) if self.outcome(round, Attempt::First)? => return Ok(index),
            _ => {}
        }
        self.break_round(LEDGER.open(&self.object));
        Err(errors::timed_out(KIND.name, "the other parties"))
    }

    fn break_round(&self, mut state: Opened<'_, 6>) {
        *state.word(IS_BROKEN) = 1;
        state.holders.clear();
        self.commit(state);
    }

    fn commit(&self, mut state: Opened<'_, 6>) {
        state.commit();
        drop(state);
        EVENTS.notify_all(&self.object.memory);
    }
}

/// Begins the next round.
fn end_round(state: &mut Opened<'_, 6>, is_completed: bool) {
    let round = *state.word(ROUND);
    let bit = 1 << (round % ROUNDS);
    let completed = state.word(COMPLETED);
    *completed = if is_completed { *completed | bit } else { *completed & !bit };
    *state.word(ROUND) = round.wrapping_add(1);
    state.holders.clear();
}

#[cold]
fn broken() -> Error {
    Error::new(
        ErrorKind::Broken,
        "the barrier is broken: a party died or timed out, or the barrier was aborted or reset; `reset` it to use it again",
    )
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Barrier");
        debug.field("parties", &self.parties()).field("is_broken", &self.is_broken()).finish_non_exhaustive()
    }
}
