//! What a worker needs besides its thread.
//!
//! A place has the number of its worker. A worker that leaves gives its place back, with what may be in its queues, and
//! the next worker goes on with it.

use std::collections::BTreeMap;

use crossbeam_deque::{Stealer, Worker as Deque};
use executor_core::Task;
use parking_lot::Mutex;

use crate::{job::Job, join::latch::Joiner, local::Queues, sleep::Sleeper, sync::Parker};

/// What a worker has besides its thread.
pub(crate) struct Place {
    pub(crate) queues: Queues,
    pub(crate) sleeper: Sleeper,
}

impl Place {
    pub(super) fn new(sleeper: Sleeper) -> Place {
        Place { queues: ((Deque::new_fifo(), Deque::new_lifo()), Parker::new()), sleeper }
    }

    pub(super) fn stealer(&self) -> Stealer<Task> {
        self.queues.0.0.stealer()
    }

    pub(super) fn scoped_stealer(&self) -> Stealer<Job> {
        self.queues.0.1.stealer()
    }

    pub(super) fn joiner(&self) -> Joiner {
        Joiner::new(self.queues.1.unparker().clone())
    }
}

/// The places that no worker has, by their numbers.
pub(crate) struct FreePlaces(Mutex<BTreeMap<usize, Place>>);

impl FreePlaces {
    pub(super) fn new(places: Vec<Place>) -> FreePlaces {
        FreePlaces(Mutex::new(places.into_iter().enumerate().collect()))
    }

    /// Takes the one with the lowest number.
    pub(super) fn take_first(&self) -> Option<(usize, Place)> {
        self.0.lock().pop_first()
    }

    pub(super) fn put_all(&self, places: impl IntoIterator<Item = (usize, Place)>) {
        self.0.lock().extend(places);
    }
}
