//! The pool that a program shares without passing it around.

use std::sync::OnceLock;

use executor_core::{Error, ErrorKind};
use parking_lot::Mutex;

use crate::{ThreadPoolBuilder, ThreadPoolExecutor};

static GLOBAL: OnceLock<ThreadPoolExecutor> = OnceLock::new();
/// Held while the pool is built, so that only one is. No user code runs under it.
static BUILDING: Mutex<()> = Mutex::new(());

impl ThreadPoolExecutor {
    /// Returns the global pool of the program, and starts it at the first call. It has the default number of
    /// [`max_workers`](ThreadPoolBuilder::max_workers), unless [`ThreadPoolBuilder::build_global`] was called before.
    ///
    /// It is never dropped. When `main` returns, tasks that have not ended end with the program, so wait for their
    /// futures, or call [`wait_idle`](Self::wait_idle). Code that shuts it down does so for the whole program: a later
    /// submit fails with [`ShutDown`](ErrorKind::ShutDown). A library should rather take an executor as an argument.
    ///
    /// Python has no counterpart in `concurrent.futures`; asyncio's default executor is one.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{Executor, ThreadPoolExecutor};
    ///
    /// let future = ThreadPoolExecutor::global().submit(|n: u64| n * n, 12)?;
    /// assert_eq!(future.result(None)?, 144);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the system refuses all threads. [`ThreadPoolBuilder::build_global`] returns that as an error.
    pub fn global() -> &'static ThreadPoolExecutor {
        if let Some(pool) = GLOBAL.get() {
            return pool;
        }
        match build(ThreadPoolExecutor::builder().name_prefix(NAME)) {
            Ok(pool) | Err(Refused::Exists(pool)) => pool,
            Err(Refused::Failed(error)) => panic!("the global pool cannot be started: {error}"),
        }
    }
}

impl ThreadPoolBuilder {
    /// Makes the [`global`](ThreadPoolExecutor::global) pool from this builder. This is possible once, and before the
    /// pool is first used.
    ///
    /// # Errors
    ///
    /// - [`InvalidState`](ErrorKind::InvalidState) if the global pool exists already. It does not change.
    /// - The errors of [`build`](ThreadPoolBuilder::build). The pool can be made by another call then.
    ///
    /// ```standalone_crate
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{Backend, ErrorKind, ThreadPoolExecutor};
    ///
    /// let pool = ThreadPoolExecutor::builder().max_workers(3).build_global()?;
    /// assert_eq!(ThreadPoolExecutor::global().max_workers(), 3);
    /// let error = ThreadPoolExecutor::builder().max_workers(4).build_global().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidState);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn build_global(self) -> Result<&'static ThreadPoolExecutor, Error> {
        build(self).map_err(|refused| match refused {
            Refused::Failed(error) => error,
            Refused::Exists(_) => Error::new(
                ErrorKind::InvalidState,
                "the global pool exists already: call `build_global` once, at the start of `main`, before anything \
                 uses `ThreadPoolExecutor::global`",
            ),
        })
    }
}

/// The names of its workers begin with this, unless the builder sets another name.
const NAME: &str = "global";

/// Why a global pool was not made.
enum Refused {
    Exists(&'static ThreadPoolExecutor),
    Failed(Error),
}

fn build(builder: ThreadPoolBuilder) -> Result<&'static ThreadPoolExecutor, Refused> {
    let _building = BUILDING.lock();
    if let Some(pool) = GLOBAL.get() {
        return Err(Refused::Exists(pool));
    }
    let pool = builder.build().map_err(Refused::Failed)?;
    Ok(GLOBAL.get_or_init(|| pool))
}
