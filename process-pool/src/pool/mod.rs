//! The parts that the callers of a pool and its supervisor share: the queue, the dispatcher, the counters, and a slot
//! for each worker.
//!
//! Everything that changes is in [`State`], behind one lock. The lock is held for short steps, and never while user
//! code runs. Submitting, cancelling and closing happen in the callers' threads, the rest in the
//! [`supervisor`](crate::supervisor)'s. In addition, any thread that waits may [poll] the workers.

mod breathing;
mod completion;
mod counters;
mod deferred;
mod dispatch;
mod dispatcher;
mod dropped;
#[cfg(fuzzing)]
pub mod fuzzing;
mod handle;
mod host;
mod ids;
mod job;
mod pace;
mod poll;
mod queue;
mod reader;
mod reaped;
mod replies;
mod room;
mod sandboxed;
mod sending;
mod slot;
mod state;
mod stop;
mod stuck;
mod submitters;
mod telemetry;
#[cfg(test)]
mod tests;
mod timer;
mod timers;
mod view;
mod wake;
mod width;

pub(crate) use deferred::Deferred;
pub(crate) use handle::{Stage, WorkerHandle};
pub(crate) use ids::{PerSlot, SlotId, WorkerId};
pub(crate) use job::MOST_HANDLES;
pub(crate) use pace::BACKOFF;
pub(crate) use reader::{AfterRead, Armed, OnDoorbell, ReplyReader};
pub(crate) use reaped::{DeathRecord, Dying, EndedProcess};
pub(crate) use replies::Received;
pub(crate) use sending::SocketWatch;
pub(crate) use state::{Limits, Phase, State};
pub(crate) use timer::Timer;
pub(crate) use wake::{Called, Wake};

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    thread::{self, JoinHandle, ThreadId},
    time::{Duration, Instant},
};

use executor_core::{
    Backend, Error, ErrorKind, Shutdown, Task, deadline, fork,
    growing::Growing,
    host::{Host, HostId, Registration},
    task::Completed,
};
use parking_lot::{Condvar, Mutex};

use crate::{
    callbacks::CallbackThread,
    forward::Forwarder,
    lines::Lines,
    sandbox::Refusals,
    sys::poller::Poller,
    telemetry::Telemetry,
    trace::{Event, Trace},
};
use dropped::DroppedHandles;
use job::Job;
use state::Enqueued;

/// More workers than this are a mistake: no machine runs that many, and each takes descriptors.
pub(crate) const MOST_WORKERS: usize = 4096;

/// See the [module](self).
pub(crate) struct Pool {
    pub(crate) name: String,
    /// The time limit of tasks that have none of their own. It is outside the lock because every submit reads it.
    time_limit: Option<Duration>,
    pub(crate) state: Mutex<State>,
    /// A thread that needs both locks locks the reader before the state.
    readers: Growing<Mutex<Option<ReplyReader>>>,
    /// The largest number of workers. It is outside the lock because it is asked for often.
    most_workers: AtomicUsize,
    /// Notified when the last worker is gone.
    gone: Condvar,
    /// Notified when a worker has reported its sandbox, and when none will.
    sandboxed: Condvar,
    /// The calls that workers report as refused, if the sandbox of the pool makes them do so.
    refusals: OnceLock<Arc<Refusals>>,
    /// The threads that remove the private directories of workers.
    removals: Mutex<Vec<JoinHandle<()>>>,
    pub(crate) poller: Arc<Poller>,
    wake: Wake,
    callbacks: CallbackThread,
    /// What hands events and records of workers to this program's subscriber and logger.
    telemetry: Telemetry,
    pub(crate) forwarder: Forwarder,
    registration: OnceLock<Registration>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    supervisor_id: OnceLock<ThreadId>,
    fork_generation: fork::Generation,
}

impl Pool {
    pub(crate) fn new(name: String, limits: Limits, workers: usize, telemetry: Telemetry) -> Result<Arc<Pool>, Error> {
        let poller = Poller::new().map_err(|cause| {
            Error::new(ErrorKind::Other, format!("{name} could not be built: no descriptor to wait with: {cause}"))
        })?;
        let callbacks = CallbackThread::new(&name);
        Ok(Pool::with(name, limits, workers, Wake::only(Arc::new(poller)), callbacks, telemetry))
    }

    /// Makes a pool whose supervisor is woken in this way, and whose callbacks run in this thread.
    pub(crate) fn with(
        name: String,
        limits: Limits,
        workers: usize,
        wake: Wake,
        callbacks: CallbackThread,
        telemetry: Telemetry,
    ) -> Arc<Pool> {
        let poller = wake.poller().clone();
        let time_limit = limits.time_limit;
        let dropped = Arc::new(DroppedHandles::new(wake.clone()));
        let state = State::new(limits, &name, workers, dropped);
        let pool = Arc::new(Pool {
            callbacks,
            telemetry,
            forwarder: Forwarder::new(&name, poller.clone()),
            name,
            time_limit,
            state: Mutex::new(state),
            readers: Growing::new((0..workers).map(|_| Mutex::new(None))),
            most_workers: AtomicUsize::new(workers),
            gone: Condvar::new(),
            sandboxed: Condvar::new(),
            refusals: OnceLock::new(),
            removals: Mutex::new(Vec::new()),
            poller,
            wake,
            registration: OnceLock::new(),
            supervisor: Mutex::new(None),
            supervisor_id: OnceLock::new(),
            fork_generation: fork::generation(),
        });
        let host: Weak<dyn Host> = Arc::<Pool>::downgrade(&pool);
        let _ = pool.registration.set(executor_core::host::register(host));
        pool
    }

    /// Makes this the pool of a single process, which has the pool's own name and runs the tasks that it has by now.
    pub(crate) fn serve_one_process(&self) {
        let mut state = self.state.lock();
        state.slots[SlotId::FIRST].name.clone_from(&self.name);
        let deferred = state.close(Shutdown::Drain, Instant::now());
        drop(state);
        self.perform_in_caller(deferred);
    }

    pub(crate) fn set_supervisor(&self, thread: JoinHandle<()>) {
        self.set_supervisor_id(thread.thread().id());
        *self.supervisor.lock() = Some(thread);
    }

    /// Notes in which thread the supervisor runs.
    pub(crate) fn set_supervisor_id(&self, thread: ThreadId) {
        let _ = self.supervisor_id.set(thread);
    }

    fn is_supervisor(&self) -> bool {
        self.supervisor_id.get() == Some(&thread::current().id())
    }

    /// Returns the process ids of the workers, or nothing in the child of a fork, which does not own them.
    pub(crate) fn worker_pids(&self) -> Vec<u32> {
        if self.fork_generation.check().is_err() {
            return Vec::new();
        }
        self.state.lock().workers().filter_map(handle::WorkerHandle::pid).collect()
    }

    /// Changes the number of workers.
    ///
    /// # Errors
    ///
    /// If there can be no such number, the pool is closed or broken, or this is the child of a fork.
    pub(crate) fn resize(&self, workers: usize) -> Result<(), Error> {
        self.fork_generation.check()?;
        let mut state = self.state.lock();
        state.check_open(&self.name)?;
        if workers == 0 || workers > MOST_WORKERS {
            let message = format!(
                "{} cannot be resized to {workers} workers: give it 1 to {MOST_WORKERS}, or shut it down",
                self.name
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        self.readers.grow(workers, |_| Mutex::new(None));
        let deferred = state.resize(workers, &self.name, Instant::now());
        // ORDERING: as in `max_workers`.
        self.most_workers.store(workers, Relaxed);
        drop(state);
        self.perform_in_caller(deferred);
        Ok(())
    }

    fn host(&self) -> HostId {
        self.registration.get().map_or(HostId::NONE, Registration::id)
    }

    /// Wakes the supervisor.
    pub(crate) fn notify(&self) {
        self.wake.notify();
    }

    /// Performs deferred actions of a state transition. The caller holds no lock. Futures are completed here; their
    /// callbacks run in the callback thread.
    pub(crate) fn perform(&self, deferred: Deferred) {
        let mut all_delivered = true;
        for completion in self.perform_all_but_completions(deferred) {
            all_delivered &= self.callbacks.deliver(completion.complete());
        }
        if !all_delivered {
            self.run_callbacks_later();
        }
    }

    /// Performs deferred actions as [`perform`](Pool::perform) does, but runs the callbacks in the calling thread,
    /// which belongs to the user.
    fn perform_in_caller(&self, deferred: Deferred) {
        let completions = self.perform_all_but_completions(deferred);
        // All futures are done before the first callback runs.
        let completed: Vec<Completed> = completions.into_iter().map(|completion| completion.complete()).collect();
        drop(completed);
    }

    fn perform_all_but_completions(&self, deferred: Deferred) -> Vec<completion::Completion> {
        let Deferred { completions, cancelled, arguments, wake_supervisor, unsent, notify_submitters, trace } =
            deferred;
        if let Some(slot) = unsent {
            self.send_unsent(slot);
        }
        if notify_submitters {
            self.notify_submitters();
        }
        drop((cancelled, arguments));
        if wake_supervisor {
            self.notify();
        }
        self.report(trace);
        self.deliver_telemetry();
        completions
    }

    /// Reports events to `tracing`. The caller holds no lock.
    pub(crate) fn report(&self, trace: Trace) {
        if trace.is_empty() {
            return;
        }
        if !self.is_supervisor() {
            trace.report();
        } else if !self.callbacks.report(trace) {
            self.run_callbacks_later();
        }
    }

    /// Makes the callback thread call a function with the lines that wait for it.
    pub(crate) fn deliver_lines(&self, lines: Arc<Lines>) {
        if !self.callbacks.deliver_lines(lines) {
            self.run_callbacks_later();
        }
    }

    /// Makes the callback thread say what was left out after the last line.
    pub(crate) fn finish_lines(&self, lines: Arc<Lines>) {
        if !self.callbacks.finish_lines(lines) {
            self.run_callbacks_later();
        }
    }

    /// Tries again to start the callback thread.
    pub(crate) fn retry_callbacks(&self) {
        if !self.callbacks.retry() {
            self.run_callbacks_later();
        }
    }

    /// Schedules another attempt to start the callback thread. If every attempt fails, the thread that joins the pool
    /// runs the callbacks.
    #[cold]
    fn run_callbacks_later(&self) {
        const PAUSE: Duration = Duration::from_millis(200);
        self.state.lock().set_timer(Instant::now() + PAUSE, Timer::Callbacks);
        self.notify();
    }

    /// Announces that the pool has ended, as [`note_gone`](Pool::note_gone) records.
    pub(crate) fn announce_gone(&self) {
        let mut trace = Trace::default();
        trace.of_worker(|| Event::Gone { pool: self.name.clone() });
        self.report(trace);
        self.note_gone();
    }

    /// Records that the pool has ended. The supervisor does nothing after this.
    pub(crate) fn note_gone(&self) {
        self.state.lock().phase = Phase::Gone;
        self.gone.notify_all();
        self.sandboxed.notify_all();
        self.notify_submitters();
    }

    /// Completes every future after the supervisor has panicked, which is an error in this crate.
    pub(crate) fn collapse(&self) {
        let message = format!("{} is broken: its supervisor has failed, which is an error in the library", self.name);
        let deferred = self.state.lock().collapse(&Error::new(ErrorKind::Broken, message));
        self.perform(deferred);
        self.announce_gone();
    }

    fn accept(&self, job: Job) -> Result<(), Error> {
        let mut state = self.state.lock();
        state.check_open(&self.name)?;
        if let Some(capacity) = state.limits.queue_capacity {
            self.enter_bounded(&mut state, capacity, &job.task)?;
        }
        let enqueued = state.enqueue(job, Instant::now);
        drop(state);
        match enqueued {
            Enqueued::Dispatched(deferred) => self.perform(deferred),
            Enqueued::Queued => {}
            Enqueued::QueuedPollNow => self.poll_all(),
        }
        Ok(())
    }
}

impl Backend for Pool {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.fork_generation.check()?;
        task.attach(self.host());
        let id = task.id();
        // A task that cannot be encoded must not keep the room that it was given.
        let mut job = Job::new(task, self.time_limit).inspect_err(|_| self.give_back_room(id))?;
        job.telemetry = self.telemetry.begin_task();
        // A job that is refused was dropped, and the end of its spans waits for the callback thread.
        self.accept(job).inspect_err(|_| self.deliver_telemetry())
    }

    fn close(&self, mode: Shutdown) {
        if self.fork_generation.check().is_err() {
            return;
        }
        let deferred = self.state.lock().close(mode, Instant::now());
        self.perform_in_caller(deferred);
        let mut trace = Trace::default();
        trace.of_worker(|| Event::Closed { pool: self.name.clone(), mode });
        self.report(trace);
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        if self.fork_generation.check().is_err() {
            return false;
        }
        let until = deadline::after(timeout);
        let mut state = self.state.lock();
        if !deadline::wait_while(&self.gone, &mut state, until, |state| state.phase < Phase::Gone) {
            return false;
        }
        drop(state);
        let supervisor = self.supervisor.lock().take();
        if let Some(thread) = supervisor {
            // It has announced its end and runs no user code.
            let _ = thread.join();
        }
        self.forwarder.finish(until);
        self.callbacks.join(until);
        self.finish_removals();
        true
    }

    fn max_workers(&self) -> usize {
        // ORDERING: nothing depends on the value.
        self.most_workers.load(Relaxed)
    }

    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_bounded(task, context)
    }

    fn give_up_room(&self, task: &Task) {
        self.give_back_room(task.id());
    }
}
