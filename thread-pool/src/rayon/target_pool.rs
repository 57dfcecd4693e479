//! The rayon pool that an executor runs its tasks on, and how a job reaches it from any thread.
//!
//! A `rayon::ThreadPool` takes jobs from every thread. The global pool has no such value: `rayon::spawn_fifo` uses the
//! pool of the calling thread, which is the global one only on its own threads and on threads outside of all pools.
//! Rayon does not say which pool a thread belongs to. So a thread counts as one of the global pool once a job that was
//! sent there has run on it. From any other thread of a pool, jobs go through a thread outside of all pools, the relay.

use std::{
    cell::Cell,
    sync::{
        Arc, OnceLock,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
};

use executor_core::{Error, ErrorKind};
use parking_lot::Mutex;

/// A rayon pool.
pub(super) enum TargetPool {
    Given(Arc<rayon::ThreadPool>),
    Global(GlobalPool),
}

/// Rayon's global pool.
#[derive(Default)]
pub(super) struct GlobalPool {
    size: OnceLock<usize>,
    /// Started when it is first needed.
    relay: Mutex<Option<Relay>>,
}

/// A thread outside of all pools that passes jobs on to the global one. It runs no user code.
struct Relay {
    /// `None` tells the thread to end.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

type Job = Box<dyn FnOnce() + Send>;

/// How the calling thread sends a job to the pool. The sending cannot fail.
pub(super) enum Route<'a> {
    Given(&'a rayon::ThreadPool),
    /// `rayon::spawn_fifo` uses the global pool on the calling thread.
    Direct,
    Relay(Sender<Job>),
}

thread_local! {
    /// Whether a job that was sent to the global pool has run on this thread.
    static IN_GLOBAL_POOL: Cell<bool> = const { Cell::new(false) };
}

impl TargetPool {
    /// Returns the number of threads, and starts the global pool if necessary.
    ///
    /// On a thread of another pool, a new thread asks rayon for the number of the global pool's threads. If the system
    /// refuses that thread, this returns the number of threads of the calling thread's pool.
    pub(super) fn len(&self) -> usize {
        match self {
            TargetPool::Given(pool) => pool.current_num_threads(),
            TargetPool::Global(global) => global.len(),
        }
    }

    /// Returns the number of the calling thread, which must run a job of the pool.
    pub(super) fn index_of_job(&self) -> usize {
        let index = match self {
            TargetPool::Given(pool) => pool.current_thread_index(),
            TargetPool::Global(_) => {
                IN_GLOBAL_POOL.set(true);
                rayon::current_thread_index()
            }
        };
        index.unwrap_or_default()
    }

    /// Returns `true` if the calling thread is known to belong to the pool, even if it runs another job. Tasks may need
    /// such a thread, so it must not wait for them.
    pub(super) fn has_current_thread(&self) -> bool {
        match self {
            TargetPool::Given(pool) => pool.current_thread_index().is_some(),
            TargetPool::Global(_) => IN_GLOBAL_POOL.get(),
        }
    }

    /// Returns the route of a job from the calling thread. `name` is that of the executor.
    ///
    /// # Errors
    ///
    /// Returns [`Other`](ErrorKind::Other) if the route needs a thread that the system refuses.
    pub(super) fn route(&self, name: &str) -> Result<Route<'_>, Error> {
        match self {
            TargetPool::Given(pool) => Ok(Route::Given(pool)),
            TargetPool::Global(_) if spawns_globally() => Ok(Route::Direct),
            TargetPool::Global(global) => global.relay(name).map(Route::Relay),
        }
    }

    /// Ends the relay. A later job that needs it starts it again.
    pub(super) fn release(&self) {
        if let TargetPool::Global(global) = self {
            let relay = global.relay.lock().take();
            drop(relay);
        }
    }
}

impl GlobalPool {
    fn len(&self) -> usize {
        if let Some(size) = self.size.get() {
            return *size;
        }
        let size = if spawns_globally() {
            rayon::current_num_threads()
        } else {
            match thread::Builder::new().spawn(rayon::current_num_threads).map(JoinHandle::join) {
                Ok(Ok(size)) => size,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_) => return rayon::current_num_threads(),
            }
        };
        *self.size.get_or_init(|| size)
    }

    fn relay(&self, name: &str) -> Result<Sender<Job>, Error> {
        let mut relay = self.relay.lock();
        if let Some(Relay { jobs: Some(jobs), .. }) = &*relay {
            return Ok(jobs.clone());
        }
        let (jobs, sent) = channel::<Job>();
        let started = thread::Builder::new().name(format!("{name}-relay")).spawn(move || {
            for job in sent {
                rayon::spawn_fifo(job);
            }
        });
        let thread = started.map_err(|cause| {
            Error::new(
                ErrorKind::Other,
                format!(
                    "{name}: a submit from a thread of another rayon pool reaches the global one through a helper \
                     thread, which the system refused to start: {cause}; see `ulimit -u` and the container's pids \
                     limit, or submit from outside of that pool"
                ),
            )
        })?;
        *relay = Some(Relay { jobs: Some(jobs.clone()), thread: Some(thread) });
        Ok(jobs)
    }
}

/// Returns `true` if `rayon::spawn_fifo` is known to use the global pool on the calling thread.
fn spawns_globally() -> bool {
    rayon::current_thread_index().is_none() || IN_GLOBAL_POOL.get()
}

impl Route<'_> {
    pub(super) fn spawn(self, job: impl FnOnce() + Send + 'static) {
        match self {
            Route::Given(pool) => pool.spawn_fifo(job),
            Route::Direct => rayon::spawn_fifo(job),
            // The relay receives until the last sender is dropped, and this is one.
            Route::Relay(jobs) => drop(jobs.send(Box::new(job))),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // The thread ends when it has passed on its jobs. An error would be a panic of rayon, which aborts instead.
            let _ = thread.join();
        }
    }
}
