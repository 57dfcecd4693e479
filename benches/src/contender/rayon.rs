//! A rayon pool. It has no handle with a result for a single task, so each task sends its result through a channel.

use std::sync::mpsc::{Receiver, sync_channel};

use concurrent_futures::{Error, ErrorKind};

use super::Contender;
use crate::add_one;

pub(super) struct Rayon {
    pool: rayon::ThreadPool,
}

impl Rayon {
    pub(super) fn new(workers: usize) -> Result<Rayon, Error> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
        Ok(Rayon { pool: pool.map_err(|error| Error::new(ErrorKind::Other, error.to_string()))? })
    }

    fn submit(&self, n: u64) -> Receiver<u64> {
        let (sender, receiver) = sync_channel(1);
        self.pool.spawn_fifo(move || {
            let _ = sender.send(add_one(n));
        });
        receiver
    }
}

impl Contender for Rayon {
    fn name(&self) -> &'static str {
        "rayon, spawn_fifo and a channel"
    }

    fn submit_then_collect(&self, count: u64) -> u64 {
        let receivers: Vec<_> = (0..count).map(|n| self.submit(n)).collect();
        receivers.into_iter().map(|receiver| receiver.recv().expect("ran")).sum()
    }

    fn one_at_a_time(&self, count: u64) -> u64 {
        (0..count).map(|n| self.submit(n).recv().expect("ran")).sum()
    }
}
