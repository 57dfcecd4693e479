//! The crate `rusty_pool`.

use std::time::Duration;

use concurrent_futures::Payload;

use super::{Contender, Role};
use crate::{Job, Outcome};

/// A pool of `rusty_pool`'s.
pub struct RustyPool(pub rusty_pool::ThreadPool);

impl Contender for RustyPool {
    const NAME: &'static str = "rusty_pool evaluate";
    const ROLE: Role = Role::Peer;
    type Handle<R: Payload> = rusty_pool::JoinHandle<R>;

    fn build(width: usize) -> Outcome<RustyPool> {
        // The minimum is the maximum, so the time-out of threads above the minimum has no effect.
        Ok(RustyPool(rusty_pool::ThreadPool::new(width, width, Duration::from_secs(60))))
    }

    fn submit<J: Job>(&self, input: J::Input) -> rusty_pool::JoinHandle<J::Output> {
        self.0.evaluate(move || J::run(input))
    }

    fn collect<R: Payload>(handle: rusty_pool::JoinHandle<R>) -> R {
        handle.await_complete()
    }
}

impl std::fmt::Debug for RustyPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RustyPool").finish_non_exhaustive()
    }
}
