//! What the workers do.

use std::{
    sync::atomic::Ordering::SeqCst,
    thread,
    time::{Duration, Instant},
};

use executor_core::task;
use serde::{Deserialize, Serialize};

use super::journal::Key;

/// A small task: it notes its start, is busy for so many microseconds, and notes its end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Errand {
    pub(super) journal: Key,
    pub(super) number: u32,
    pub(super) micros: u32,
}

/// Runs an errand, and answers which it was and which attempt.
pub(super) fn run_errand(errand: Errand) -> (u32, u32) {
    let journal = errand.journal.open();
    let attempt = attempt();
    journal.start(errand.number, attempt);
    be_busy(errand.micros);
    journal.end(errand.number, attempt);
    (errand.number, attempt)
}

/// Which attempt of the current task this is.
pub(super) fn attempt() -> u32 {
    task::current().expect("a task knows that it is one").attempt()
}

pub(super) fn be_busy(micros: u32) {
    let (start, time) = (Instant::now(), Duration::from_micros(micros.into()));
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Meets as many others as make it `many`, at a counter of the journal: none of them leaves before the last has come.
pub(super) fn meet((journal, counter, many): (Key, usize, u64)) -> u32 {
    let journal = journal.open();
    let counter = journal.counter(counter);
    counter.fetch_add(1, SeqCst);
    while counter.load(SeqCst) < many {
        thread::park_timeout(Duration::from_micros(100));
    }
    std::process::id()
}
