//! The memory, the futex and the processes of the model checker.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

pub(crate) use loom::sync::atomic::{AtomicU32, fence};
use loom::sync::{Condvar, Mutex, atomic::AtomicU64, atomic::Ordering::Relaxed};

pub(crate) const SPINS: u32 = 0;
pub(crate) const LONGEST_PAUSE: u32 = 0;

pub(crate) fn pause() {
    loom::thread::yield_now();
}

/// The memory: some words, some half words, and the kernel's part of the futexes.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    words: BTreeMap<usize, AtomicU64>,
    half_words: BTreeMap<usize, AtomicU32>,
    kernel: Arc<Kernel>,
}

/// What the kernel knows, behind its lock.
#[derive(Debug)]
pub(crate) struct Kernel {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    dead: BTreeSet<u32>,
    /// For each half word: how many sleep on it, and how many of those are woken.
    sleepers: BTreeMap<usize, (usize, usize)>,
}

impl SharedMemory {
    pub(crate) fn new(words: &[usize], half_words: &[usize]) -> SharedMemory {
        SharedMemory {
            words: words.iter().map(|offset| (*offset, AtomicU64::new(0))).collect(),
            half_words: half_words.iter().map(|offset| (*offset, AtomicU32::new(0))).collect(),
            kernel: Arc::new(Kernel { state: Mutex::new(State::default()), woken: Condvar::new() }),
        }
    }

    /// Returns the membership of a process with this number.
    pub(crate) fn member(&self, number: u32) -> Member {
        Member { number, kernel: self.kernel.clone() }
    }

    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        &self.words[&offset]
    }

    pub(crate) fn half_word(&self, offset: usize) -> &AtomicU32 {
        &self.half_words[&offset]
    }

    pub(crate) fn load_words(&self, offset: usize, into: &mut [u64]) {
        for (at, word) in into.iter_mut().enumerate() {
            *word = self.word(offset + 8 * at).load(Relaxed);
        }
    }

    pub(crate) fn store_words(&self, offset: usize, words: &[u64]) {
        for (at, word) in words.iter().enumerate() {
            self.word(offset + 8 * at).store(*word, Relaxed);
        }
    }

    /// The models have no bytes that are not whole words.
    pub(crate) fn copy_in(&self, offset: usize, bytes: &[u8]) {
        let words = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().expect("eight bytes")));
        self.store_words(offset, &words.collect::<Vec<_>>());
    }

    pub(crate) fn copy_out(&self, offset: usize, into: &mut [u8]) {
        for (at, word) in into.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&self.word(offset + 8 * at).load(Relaxed).to_ne_bytes());
        }
    }

    /// Sleeps as the kernel does: it compares under a lock that [`wake`](SharedMemory::wake) also takes. The time of a
    /// sleep is over only if a process has died, so a lost wake-up is a deadlock.
    pub(crate) fn sleep_on(&self, offset: usize, expected: u32, _: Duration) {
        let mut state = self.kernel.state.lock().expect("a model does not panic under a lock");
        if !state.dead.is_empty() {
            drop(state);
            return loom::thread::yield_now();
        }
        if self.half_word(offset).load(Relaxed) != expected {
            return;
        }
        state.sleepers.entry(offset).or_default().0 += 1;
        loop {
            state = self.kernel.woken.wait(state).expect("a model does not panic under a lock");
            let (asleep, woken) = state.sleepers.get_mut(&offset).expect("it sleeps");
            let was_woken = *woken > 0;
            if was_woken {
                *woken -= 1;
                *asleep -= 1;
                return;
            }
            if !state.dead.is_empty() {
                state.sleepers.get_mut(&offset).expect("it sleeps").0 -= 1;
                return;
            }
        }
    }

    pub(crate) fn wake(&self, offset: usize, most: u32) -> usize {
        let mut state = self.kernel.state.lock().expect("a model does not panic under a lock");
        let (asleep, woken) = state.sleepers.entry(offset).or_default();
        let count = (*asleep - *woken).min(most as usize);
        *woken += count;
        self.kernel.woken.notify_all();
        count
    }
}

/// A process of the model, which is one thread.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    number: u32,
    kernel: Arc<Kernel>,
}

impl Member {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn is_alive(&self, number: u32) -> bool {
        !self.kernel.state.lock().expect("a model does not panic under a lock").dead.contains(&number)
    }

    /// The process dies. Its thread must do nothing after this.
    pub(crate) fn die(&self) {
        self.kernel.state.lock().expect("a model does not panic under a lock").dead.insert(self.number);
        self.kernel.woken.notify_all();
    }
}
