//! The thread pool of the crate `futures`.

use concurrent_futures::Payload;
use futures::{
    executor::{ThreadPool, block_on},
    future::RemoteHandle,
    task::SpawnExt,
};

use super::{Contender, Role};
use crate::{Job, Outcome};

/// `futures::executor::ThreadPool`.
#[derive(Debug)]
pub struct FuturesPool(pub ThreadPool);

impl Contender for FuturesPool {
    const NAME: &'static str = "futures ThreadPool";
    const ROLE: Role = Role::Peer;
    type Handle<R: Payload> = RemoteHandle<R>;

    fn build(width: usize) -> Outcome<FuturesPool> {
        Ok(FuturesPool(ThreadPool::builder().pool_size(width).create()?))
    }

    fn submit<J: Job>(&self, input: J::Input) -> RemoteHandle<J::Output> {
        self.0.spawn_with_handle(async move { J::run(input) }).expect("accepted")
    }

    fn collect<R: Payload>(handle: RemoteHandle<R>) -> R {
        block_on(handle)
    }
}
