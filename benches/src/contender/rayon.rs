//! The crate `rayon`. Its spawned tasks have no result, so each sends it through a channel.

use concurrent_futures::Payload;

use super::{Contender, Role};
use crate::{Job, Outcome};

/// A pool of rayon's.
#[derive(Debug)]
pub struct Rayon(pub rayon::ThreadPool);

impl Contender for Rayon {
    const NAME: &'static str = "rayon spawn_fifo + oneshot";
    const ROLE: Role = Role::Peer;
    type Handle<R: Payload> = oneshot::Receiver<R>;

    fn build(width: usize) -> Outcome<Rayon> {
        Ok(Rayon(rayon::ThreadPoolBuilder::new().num_threads(width).build()?))
    }

    fn submit<J: Job>(&self, input: J::Input) -> oneshot::Receiver<J::Output> {
        let (sender, receiver) = oneshot::channel();
        // It fails only if the receiver is dropped.
        self.0.spawn_fifo(move || drop(sender.send(J::run(input))));
        receiver
    }

    fn collect<R: Payload>(handle: oneshot::Receiver<R>) -> R {
        handle.recv().expect("ran")
    }
}
