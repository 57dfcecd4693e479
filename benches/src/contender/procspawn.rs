//! The process pool of the crate `procspawn`. Its program calls `procspawn::init()` first in `main`.

use concurrent_futures::{Error, ErrorKind};

use super::Contender;
use crate::add_one;

pub(super) struct Procspawn {
    pool: procspawn::Pool,
}

impl Procspawn {
    pub(super) fn new(workers: usize) -> Result<Procspawn, Error> {
        let pool = procspawn::Pool::new(workers).map_err(|error| Error::new(ErrorKind::Other, error.to_string()))?;
        Ok(Procspawn { pool })
    }
}

impl Contender for Procspawn {
    fn name(&self) -> &'static str {
        "procspawn::Pool"
    }

    fn submit_then_collect(&self, count: u64) -> u64 {
        let handles: Vec<_> = (0..count).map(|n| self.pool.spawn(n, add_one)).collect();
        handles.into_iter().map(|handle| handle.join().expect("ran")).sum()
    }

    fn one_at_a_time(&self, count: u64) -> u64 {
        (0..count).map(|n| self.pool.spawn(n, add_one).join().expect("ran")).sum()
    }
}
