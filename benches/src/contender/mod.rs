//! Who takes part.

pub mod async_executor;
pub mod cpython;
pub mod floor;
pub mod futures;
pub mod processes;
pub mod procspawn;
pub mod rayon;
pub mod rusty_pool;
pub mod threadpool;
pub mod threads;
pub mod tokio;

use concurrent_futures::Payload;

use crate::{Job, Outcome};

/// A pool that runs jobs elsewhere, and answers a handle for each.
pub trait Contender: Sized + Send + Sync + 'static {
    /// What it is called in reports.
    const NAME: &'static str;
    /// What its figures are for.
    const ROLE: Role;

    /// What is left with the caller for a job that was submitted.
    type Handle<R: Payload>: Send;

    /// A pool with so many workers, and its default options.
    ///
    /// # Errors
    ///
    /// If the system refuses what it needs.
    fn build(width: usize) -> Outcome<Self>;

    /// Hands over a job.
    ///
    /// # Panics
    ///
    /// If the pool refuses it.
    fn submit<J: Job>(&self, input: J::Input) -> Self::Handle<J::Output>;

    /// Waits for a job, and answers what it has computed.
    ///
    /// # Panics
    ///
    /// If the job failed.
    fn collect<R: Payload>(handle: Self::Handle<R>) -> R;
}

/// On whose side a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One of the pools of this workspace.
    Ours,
    /// Somebody else's pool for the same purpose.
    Peer,
    /// What the machine allows: no pool, only the least that has to be done.
    Floor,
}

/// Calls a generic function for each contender that runs tasks on threads of this process, and answers the answers:
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

/// As [`each_on_threads!`], for each contender in Rust that runs tasks in other processes.
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
