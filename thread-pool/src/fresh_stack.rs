//! Fresh stacks for deeply nested waits.

use std::{
    cell::Cell,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use executor_core::{Error, ErrorKind, host::HostId, task};

use crate::{
    initializer::{Initializer, initialize},
    threads::Threads,
};

thread_local! {
    /// The size that was asked for when this thread was started as a fresh stack. The size that it got is smaller by
    /// what the C library keeps there, so a stack for a stack would be smaller each time.
    static ASKED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What a thread needs to stand in for a worker of a pool.
pub(crate) struct FreshStack<'a> {
    pub(crate) pool_name: &'a str,
    pub(crate) host: HostId,
    pub(crate) stop_all: &'a Arc<AtomicBool>,
    pub(crate) threads: &'a Threads,
    pub(crate) initializer: Option<&'a Arc<Initializer>>,
}

impl FreshStack<'_> {
    /// Runs code on a new thread that stands in for the calling worker, and waits for its end.
    ///
    /// The new thread has the name of the worker and has run the initializer. It has no local queue: its tasks submit
    /// to the queues of the pool. `size` is that of the calling thread's stack.
    pub(crate) fn run(self, size: Option<usize>, code: &mut (dyn FnMut() + Send)) -> Result<(), Error> {
        let name = thread::current().name().unwrap_or(self.pool_name).to_string();
        let size = ASKED.get().or(size);
        let mut builder = thread::Builder::new().name(name.clone());
        if let Some(size) = size {
            builder = builder.stack_size(size);
        }
        let run = || {
            ASKED.set(size);
            // The guard is returned, so that the thread counts as one of the pool even in the destructors of its thread
            // locals.
            let stand_in = self.threads.add_stand_in(thread::current().id());
            let _entered = task::enter_stoppable_worker(name, self.host, self.stop_all.clone());
            let initialized = self.initializer.map_or(Ok(()), |initializer| initialize(initializer.task()));
            if initialized.is_ok() {
                code();
            }
            (stand_in, initialized)
        };
        thread::scope(|scope| {
            let thread = builder.spawn_scoped(scope, run).map_err(|cause| {
                Error::new(
                    ErrorKind::Other,
                    format!(
                        "the system refused to start a thread: {cause}; see `ulimit -u` and the container's pids limit"
                    ),
                )
            })?;
            match thread.join() {
                Ok((_stand_in, initialized)) => initialized,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
