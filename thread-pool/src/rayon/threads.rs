//! The threads of a rayon pool, and how a job gets to them from any thread.
//!
//! A pool that is a value takes jobs from everywhere. The global pool has no handle: `rayon::spawn_fifo` means the pool
//! of the calling thread, which is the global one only for its own threads and for those outside of all pools. And
//! rayon does not tell a thread in which pool it is. So a thread counts as one of the global pool's once a job that was
//! sent there has run on it, and from any other thread of a pool jobs take a detour over a thread outside of all pools,
//! the relay.

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
pub(super) enum Threads {
    Own(Arc<rayon::ThreadPool>),
    Global(Global),
}

/// Rayon's global pool.
#[derive(Default)]
pub(super) struct Global {
    size: OnceLock<usize>,
    /// Started when it is first needed.
    relay: Mutex<Option<Relay>>,
}

/// A thread outside of all pools, which hands jobs to the global one. It runs no user code.
struct Relay {
    /// None: it is told to end.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

type Job = Box<dyn FnOnce() + Send>;

/// How the calling thread gets a job to the pool. Sending it cannot fail any more.
pub(super) enum Way<'a> {
    Pool(&'a rayon::ThreadPool),
    /// The calling thread's own pool is the global one, or it has none.
    Here,
    Relay(Sender<Job>),
}

thread_local! {
    /// A job that was sent to the global pool has run on this thread.
    static IN_GLOBAL_POOL: Cell<bool> = const { Cell::new(false) };
}

impl Threads {
    /// How many there are. For the global pool, which is started if it was not before, the number of the calling
    /// thread's own pool if that is another one and the system refuses the thread that would ask.
    pub(super) fn len(&self) -> usize {
        match self {
            Threads::Own(pool) => pool.current_num_threads(),
            Threads::Global(global) => global.len(),
        }
    }

    /// The number of the calling thread. Only for jobs that run in the pool.
    pub(super) fn index_of_job(&self) -> usize {
        let index = match self {
            Threads::Own(pool) => pool.current_thread_index(),
            Threads::Global(_) => {
                IN_GLOBAL_POOL.set(true);
                rayon::current_thread_index()
            }
        };
        index.unwrap_or_default()
    }

    /// Whether the calling thread is known to be one that tasks may need, be it in another job.
    pub(super) fn are_waited_for(&self) -> bool {
        match self {
            Threads::Own(pool) => pool.current_thread_index().is_some(),
            Threads::Global(_) => IN_GLOBAL_POOL.get(),
        }
    }

    /// How a job gets there from the calling thread. `name` is the executor's.
    ///
    /// # Errors
    ///
    /// [`Other`](ErrorKind::Other) if that takes a thread which the system refuses.
    pub(super) fn way(&self, name: &str) -> Result<Way<'_>, Error> {
        match self {
            Threads::Own(pool) => Ok(Way::Pool(pool)),
            Threads::Global(_) if spawns_globally() => Ok(Way::Here),
            Threads::Global(global) => global.relay(name).map(Way::Relay),
        }
    }

    /// Ends what was started to get there. Used again, it is started again.
    pub(super) fn release(&self) {
        if let Threads::Global(global) = self {
            let relay = global.relay.lock().take();
            drop(relay);
        }
    }
}

impl Global {
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
                    "{name}: the global rayon pool is reached from a thread of another pool through a thread of its own, \
                     which the system refused to start: {cause}; see `ulimit -u` and the container's pids limit, or submit \
                     from outside of that pool"
                ),
            )
        })?;
        *relay = Some(Relay { jobs: Some(jobs.clone()), thread: Some(thread) });
        Ok(jobs)
    }
}

/// Whether `rayon::spawn_fifo` means the global pool on the calling thread, as far as is known.
fn spawns_globally() -> bool {
    rayon::current_thread_index().is_none() || IN_GLOBAL_POOL.get()
}

impl Way<'_> {
    pub(super) fn spawn(self, job: impl FnOnce() + Send + 'static) {
        match self {
            Way::Pool(pool) => pool.spawn_fifo(job),
            Way::Here => rayon::spawn_fifo(job),
            // The relay ends when the last sender is gone, and this is one.
            Way::Relay(jobs) => drop(jobs.send(Box::new(job))),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to wait for. An error would be a panic of rayon's, which aborts instead.
            let _ = thread.join();
        }
    }
}
