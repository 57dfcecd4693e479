//! The contenders: our pools, their peers, and the limits of the machine.

pub mod async_executor;
pub mod companion;
pub mod cpython;
pub mod floor;
pub mod futures;
pub mod locks;
pub mod messages;
pub mod processes;
pub mod procspawn;
pub mod rayon;
pub mod rusty_pool;
pub mod threadpool;
pub mod threads;
pub mod tokio;

use concurrent_futures::Payload;
use serde::{Deserialize, Serialize};

use crate::{Job, Outcome};

/// A pool that runs jobs and returns a handle for each.
pub trait Contender: Sized + Send + Sync + 'static {
    /// The name in reports.
    const NAME: &'static str;
    /// Whether it is one of our pools, a peer or a floor.
    const ROLE: Role;

    /// The handle of a submitted job.
    type Handle<R: Payload>: Send;

    /// Builds a pool with `width` workers and its default options.
    ///
    /// # Errors
    ///
    /// If the system refuses a resource.
    fn build(width: usize) -> Outcome<Self>;

    /// Submits a job.
    ///
    /// # Panics
    ///
    /// If the pool refuses it.
    fn submit<J: Job>(&self, input: J::Input) -> Self::Handle<J::Output>;

    /// Waits for a job, and returns its result.
    ///
    /// # Panics
    ///
    /// If the job failed.
    fn collect<R: Payload>(handle: Self::Handle<R>) -> R;
}

/// The kind of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// One of the pools of this workspace.
    Ours,
    /// Another pool for the same purpose.
    Peer,
    /// A limit of the machine: the least work that is necessary, without a pool.
    Floor,
}

/// Calls a generic function for each contender that runs tasks on threads of this process, and returns an array:
/// `each_on_threads!(side(width, count))` is `[side::<Submit>(width, count), side::<Spawn>(width, count), ...]`.
macro_rules! each_on_threads {
    ($function:ident ($($argument:expr),*)) => {
        [
            $function::<$crate::contender::threads::Submit>($($argument),*),
            $function::<$crate::contender::threads::Spawn>($($argument),*),
            $function::<$crate::contender::rayon::Rayon>($($argument),*),
            $function::<$crate::contender::async_executor::AsyncExecutor>($($argument),*),
            $function::<$crate::contender::tokio::Tokio>($($argument),*),
            $function::<$crate::contender::threadpool::ThreadPool>($($argument),*),
            $function::<$crate::contender::rusty_pool::RustyPool>($($argument),*),
            $function::<$crate::contender::futures::FuturesPool>($($argument),*),
        ]
    };
}

/// Does the same as [`each_on_threads!`] for each contender in Rust that runs tasks in other processes.
macro_rules! each_on_processes {
    ($function:ident ($($argument:expr),*)) => {
        [
            $function::<$crate::contender::processes::Ring>($($argument),*),
            $function::<$crate::contender::processes::Socket>($($argument),*),
            $function::<$crate::contender::procspawn::Procspawn>($($argument),*),
        ]
    };
}

pub(crate) use {each_on_processes, each_on_threads};
