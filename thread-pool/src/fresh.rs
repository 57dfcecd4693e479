//! Fresh stacks for waits that are nested deep.

use std::thread;

use executor_core::{Error, ErrorKind, task};

use crate::{pool::Pool, worker::initialize};

/// Runs code on a new thread, as the worker of the pool that the calling thread is, and waits for its end.
///
/// The new thread has the name of the worker, whose place it takes meanwhile, and was initialized as a worker is. It
/// has no queue of its own: what its tasks submit goes to the pool's.
pub(crate) fn run_on_fresh_stack(
    pool: &Pool,
    size: Option<usize>,
    code: &mut (dyn FnMut() + Send),
) -> Result<(), Error> {
    let name = thread::current().name().unwrap_or(&pool.name).to_string();
    let mut builder = thread::Builder::new().name(name.clone());
    if let Some(size) = size {
        builder = builder.stack_size(size);
    }
    let run = || {
        // In the destructors of its thread locals, too, it is one of the pool's.
        let helper = pool.crew.add_helper(thread::current().id());
        let _entered = task::enter_stoppable_worker(name, pool.host(), pool.stop_all.clone());
        let initialized = pool.initializer.as_ref().map_or(Ok(()), |initializer| initialize(initializer.task()));
        if initialized.is_ok() {
            code();
        }
        (helper, initialized)
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
            Ok((_helper, initialized)) => initialized,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
