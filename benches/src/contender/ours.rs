//! A back-end of this workspace.

use concurrent_futures::{Backend, Executor};

use super::Contender;
use crate::add_one;

pub(super) struct Ours {
    pub(super) name: &'static str,
    pub(super) backend: Box<dyn Backend>,
}

impl Contender for Ours {
    fn name(&self) -> &'static str {
        self.name
    }

    fn submit_then_collect(&self, count: u64) -> u64 {
        let futures: Vec<_> = (0..count).map(|n| self.backend.submit(add_one, n).expect("submitted")).collect();
        futures.iter().map(|future| future.result(None).expect("ran")).sum()
    }

    fn one_at_a_time(&self, count: u64) -> u64 {
        (0..count).map(|n| self.backend.submit(add_one, n).and_then(|future| future.result(None)).expect("ran")).sum()
    }
}
