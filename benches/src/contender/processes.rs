//! Our process pool, on each of its transports.

use std::ops::Deref;

use concurrent_futures::{Executor, Future, Payload, ProcessPoolExecutor, Transport};

use super::{Contender, Role};
use crate::{Job, Outcome};

/// A pool whose tasks travel through shared memory.
#[derive(Debug)]
pub struct Ring(pub ProcessPoolExecutor);

/// A pool whose tasks travel through sockets.
#[derive(Debug)]
pub struct Socket(pub ProcessPoolExecutor);

/// A contender that is our process pool, for scenarios that only it can run.
pub trait Processes: Contender + Deref<Target = ProcessPoolExecutor> {
    /// The transport of its tasks.
    const TRANSPORT: Transport;

    /// Wraps a pool that was built with other options than the default ones.
    fn of(pool: ProcessPoolExecutor) -> Self;
}

macro_rules! contender {
    ($pool:ident, $name:literal, $transport:expr) => {
        impl Contender for $pool {
            const NAME: &'static str = $name;
            const ROLE: Role = Role::Ours;
            type Handle<R: Payload> = Future<R>;

            fn build(width: usize) -> Outcome<$pool> {
                Ok($pool(ProcessPoolExecutor::builder().max_workers(width).transport($transport).build()?))
            }

            fn submit<J: Job>(&self, input: J::Input) -> Future<J::Output> {
                self.0.submit(J::run, input).expect("accepted")
            }

            fn collect<R: Payload>(handle: Future<R>) -> R {
                handle.result(None).expect("ran")
            }
        }

        impl Processes for $pool {
            const TRANSPORT: Transport = $transport;

            fn of(pool: ProcessPoolExecutor) -> $pool {
                $pool(pool)
            }
        }

        impl Deref for $pool {
            type Target = ProcessPoolExecutor;

            fn deref(&self) -> &ProcessPoolExecutor {
                &self.0
            }
        }
    };
}

contender!(Ring, "processes, ring", Transport::Ring);
contender!(Socket, "processes, socket", Transport::Socket);
