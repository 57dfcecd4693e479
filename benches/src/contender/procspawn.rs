//! The process pool of the crate `procspawn`. The program must call `procspawn::init()` first in `main`.

use concurrent_futures::Payload;

use super::{Contender, Role};
use crate::{Job, Outcome};

/// A pool of procspawn's. A worker waits until the result of its last task is collected, so results must be collected
/// in the order in which tasks end.
pub struct Procspawn(pub procspawn::Pool);

/// The highest number of tasks. The pool has descriptors for each task that is not collected, and panics if there are
/// none left.
pub const MAX_PENDING: u64 = 2_000;

impl Contender for Procspawn {
    const NAME: &'static str = "procspawn";
    const ROLE: Role = Role::Peer;
    type Handle<R: Payload> = procspawn::JoinHandle<R>;

    fn build(width: usize) -> Outcome<Procspawn> {
        Ok(Procspawn(procspawn::Pool::new(width)?))
    }

    fn submit<J: Job>(&self, input: J::Input) -> procspawn::JoinHandle<J::Output> {
        self.0.spawn(input, J::run)
    }

    fn collect<R: Payload>(handle: procspawn::JoinHandle<R>) -> R {
        handle.join().expect("ran")
    }
}

impl std::fmt::Debug for Procspawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Procspawn").finish_non_exhaustive()
    }
}
