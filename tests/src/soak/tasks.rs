//! The tasks that the workers run.

use std::{
    sync::atomic::Ordering::SeqCst,
    thread,
    time::{Duration, Instant},
};

use executor_core::task;
use serde::{Deserialize, Serialize};

use super::journal::Key;

/// A small task. It notes its start, is busy for some microseconds, and notes its end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) journal: Key,
    pub(super) number: u32,
    pub(super) micros: u32,
}

/// Runs a job. Returns its number and the attempt.
pub(super) fn run_job(job: Job) -> (u32, u32) {
    let journal = job.journal.open();
    let attempt = attempt();
    journal.start(job.number, attempt);
    be_busy(job.micros);
    journal.end(job.number, attempt);
    (job.number, attempt)
}

/// Returns the attempt of the current task.
pub(super) fn attempt() -> u32 {
    task::current().expect("this runs in a task").attempt()
}

pub(super) fn be_busy(micros: u32) {
    let (start, time) = (Instant::now(), Duration::from_micros(micros.into()));
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Increments a counter of the journal, and waits until `many` tasks have done so.
pub(super) fn rendezvous((journal, counter, many): (Key, usize, u64)) -> u32 {
    let journal = journal.open();
    let counter = journal.counter(counter);
    counter.fetch_add(1, SeqCst);
    while counter.load(SeqCst) < many {
        thread::park_timeout(Duration::from_micros(100));
    }
    std::process::id()
}
