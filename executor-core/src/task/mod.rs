//! A task, and what it can learn about itself while it runs.
//!
//! [`Executor::submit`](crate::Executor::submit) makes two halves: the back-end has the [`Task`], the caller the
//! [`Future`](crate::Future). Both are counted pointers to one cell of memory. A back-end either runs a task locally
//! ([`Task::run`]), or encodes it ([`Task::encode`]), lets it run remotely and delivers the reply ([`Task::complete`]).
//! If a task is dropped, its future fails, so that no caller waits forever.

mod block;
pub(crate) mod cell;
mod closure;
pub(crate) mod completed;
mod context;
mod encoded;
mod ended;
mod forwarded;
mod id;
pub(crate) mod kinds;
#[cfg(all(test, loom))]
mod model;
mod origin;
mod owner;
pub(crate) mod queued;
pub(crate) mod rare;
pub(crate) mod rights;
mod started;
pub(crate) mod state;
pub(crate) mod typed;
pub(crate) mod view;
pub(crate) mod waiter;
pub(crate) mod work;

pub use completed::Completed;
pub use context::{Context, Remote, current, run_remote};
pub use ended::Ended;
pub use forwarded::Reply;
pub use id::TaskId;
pub use origin::Origin;
pub use owner::Task;
pub use started::Started;
pub use work::Encoded;

pub use crate::{
    worker::{WorkerGuard, enter_stoppable_worker, enter_worker, worker_host},
    worker_local::drop_worker_locals,
};
