//! The crate `async-executor`, run by as many threads as the others have.

use std::{sync::Arc, thread};

use async_executor::{Executor, Task};
use concurrent_futures::Payload;
use futures::{channel::oneshot, executor::block_on};

use super::{Contender, Role};
use crate::{Job, Outcome};

/// An executor, and the threads that run it.
#[derive(Debug)]
pub struct AsyncExecutor {
    pub(crate) executor: Arc<Executor<'static>>,
    /// Dropped to stop the threads.
    stops: Vec<oneshot::Sender<()>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Contender for AsyncExecutor {
    const NAME: &'static str = "async-executor";
    const ROLE: Role = Role::Peer;
    type Handle<R: Payload> = Task<R>;

    fn build(width: usize) -> Outcome<AsyncExecutor> {
        let executor = Arc::new(Executor::new());
        let mut pool = AsyncExecutor { executor, stops: Vec::new(), threads: Vec::new() };
        for _ in 0..width {
            let (stop, stopped) = oneshot::channel::<()>();
            let executor = pool.executor.clone();
            let run = move || {
                let _ = block_on(executor.run(stopped));
            };
            pool.stops.push(stop);
            pool.threads.push(thread::Builder::new().spawn(run)?);
        }
        Ok(pool)
    }

    fn submit<J: Job>(&self, input: J::Input) -> Task<J::Output> {
        self.executor.spawn(async move { J::run(input) })
    }

    fn collect<R: Payload>(handle: Task<R>) -> R {
        block_on(handle)
    }
}

impl Drop for AsyncExecutor {
    fn drop(&mut self) {
        self.stops.clear();
        for thread in self.threads.drain(..) {
            // A panic of the thread has been reported already.
            let _ = thread.join();
        }
    }
}
