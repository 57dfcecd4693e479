//! The crate `threadpool`, a queue behind a lock. Its tasks have no result, so each sends it through a channel.

use concurrent_futures::Payload;

use super::{Contender, Role};
use crate::{Job, Outcome};

/// A pool of `threadpool`'s.
#[derive(Debug)]
pub struct ThreadPool(pub threadpool::ThreadPool);

impl Contender for ThreadPool {
    const NAME: &'static str = "threadpool + oneshot";
    const ROLE: Role = Role::Peer;
    type Handle<R: Payload> = oneshot::Receiver<R>;

    fn build(width: usize) -> Outcome<ThreadPool> {
        Ok(ThreadPool(threadpool::ThreadPool::new(width)))
    }

    fn submit<J: Job>(&self, input: J::Input) -> oneshot::Receiver<J::Output> {
        let (sender, receiver) = oneshot::channel();
        // It fails only if the receiver is dropped.
        self.0.execute(move || drop(sender.send(J::run(input))));
        receiver
    }

    fn collect<R: Payload>(handle: oneshot::Receiver<R>) -> R {
        handle.recv().expect("ran")
    }
}
