//! The thread that runs user code on the pool's behalf: callbacks, wakers, the `Drop` of results, `tracing`
//! subscribers.
//!
//! The supervisor runs no user code, and neither does a thread that has read the reply of another thread's task: user
//! code may be slow, or wait for another task of the same pool. In this thread it delays only other user code.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::{JoinHandle, ThreadId},
    time::Instant,
};

use executor_core::{deadline, spin::SpinBudget, submit_line::Admitted, task::Completed};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{lines::Lines, sys::signals, telemetry::Telemetry, trace::Trace};

/// The thread, which is started when there is user code to run for the first time. A clone stands for the same thread.
#[derive(Clone)]
pub(crate) struct CallbackThread {
    name: String,
    shared: Arc<Shared>,
}

/// A piece of work that runs user code.
enum Delivery {
    /// A task that has ended, with the callbacks and wakers to run.
    Completed(Completed),
    Trace(Trace),
    /// Submitters for which there is room, with wakers to run.
    Admitted(Vec<Admitted>),
    /// Lines that wait for a function.
    Lines(Arc<Lines>),
    /// The same, after which there are no more.
    LastLines(Arc<Lines>),
    /// Events of workers that wait for the subscriber.
    Telemetry(Telemetry),
}

impl Delivery {
    /// Makes the delivery. Returns what is left of it, so that others have their turn before.
    #[must_use]
    fn make(self) -> Option<Delivery> {
        match self {
            Delivery::Completed(completed) => drop(completed),
            Delivery::Trace(trace) => trace.report(),
            Delivery::Admitted(submitters) => submitters.into_iter().for_each(Admitted::notify),
            Delivery::Lines(lines) if lines.deliver() => return Some(Delivery::Lines(lines)),
            Delivery::LastLines(lines) if lines.deliver() => return Some(Delivery::LastLines(lines)),
            Delivery::Telemetry(telemetry) if telemetry.deliver() => return Some(Delivery::Telemetry(telemetry)),
            Delivery::Lines(_) | Delivery::Telemetry(_) => {}
            Delivery::LastLines(lines) => lines.finish(),
        }
        None
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// How many deliveries wait. It can be read without the lock.
    waiting: AtomicUsize,
    /// Notified when there is a delivery, if the thread sleeps.
    arrived: Condvar,
    /// Notified when the thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Delivery>,
    is_asleep: bool,
    /// The running thread.
    thread: Option<ThreadId>,
    /// The handle by which the thread is joined.
    handle: Option<JoinHandle<()>>,
    /// Whether the thread must end when nothing is left.
    is_closing: bool,
}

impl CallbackThread {
    pub(crate) fn new(pool: &str) -> CallbackThread {
        CallbackThread { name: format!("{pool}-callbacks"), shared: Arc::default() }
    }

    /// Wakes the threads that wait for a task, and makes this thread run its callbacks and wakers.
    ///
    /// Returns `false` if the thread could not be started, because of a lack of memory or threads. The caller must then
    /// [try again](CallbackThread::retry).
    #[must_use]
    pub(crate) fn deliver(&self, completed: Completed) -> bool {
        completed.wake_threads().is_none_or(|rest| self.send(Delivery::Completed(rest)))
    }

    /// Reports events to `tracing`. Returns the same as [`deliver`](CallbackThread::deliver).
    #[must_use]
    pub(crate) fn report(&self, trace: Trace) -> bool {
        self.send(Delivery::Trace(trace))
    }

    /// Wakes submitters that wait for room. Returns the same as [`deliver`](CallbackThread::deliver).
    #[must_use]
    pub(crate) fn wake(&self, submitters: Vec<Admitted>) -> bool {
        self.send(Delivery::Admitted(submitters))
    }

    /// Calls a function with the lines that wait for it. Returns the same as [`deliver`](CallbackThread::deliver).
    #[must_use]
    pub(crate) fn deliver_lines(&self, lines: Arc<Lines>) -> bool {
        self.send(Delivery::Lines(lines))
    }

    /// Calls a function with the last lines. Returns the same as [`deliver`](CallbackThread::deliver).
    #[must_use]
    pub(crate) fn finish_lines(&self, lines: Arc<Lines>) -> bool {
        self.send(Delivery::LastLines(lines))
    }

    /// Calls the subscriber with the events of workers that wait. Returns the same as
    /// [`deliver`](CallbackThread::deliver).
    #[must_use]
    pub(crate) fn deliver_telemetry(&self, telemetry: Telemetry) -> bool {
        self.send(Delivery::Telemetry(telemetry))
    }

    fn send(&self, delivery: Delivery) -> bool {
        let mut state = self.shared.state.lock();
        if state.is_closing && state.thread.is_none() {
            // The pool and its supervisor have ended, so the calling thread belongs to the user.
            drop(state);
            let mut rest = Some(delivery);
            while let Some(delivery) = rest {
                rest = delivery.make();
            }
            return true;
        }
        state.queue.push_back(delivery);
        self.shared.note_length(&state);
        if state.is_asleep {
            self.shared.arrived.notify_one();
        }
        self.ensure_thread(&mut state)
    }

    /// Starts the thread if it could not be started before. Returns the same as [`deliver`](CallbackThread::deliver).
    #[must_use]
    pub(crate) fn retry(&self) -> bool {
        let mut state = self.shared.state.lock();
        state.queue.is_empty() || self.ensure_thread(&mut state)
    }

    fn ensure_thread(&self, state: &mut State) -> bool {
        if state.thread.is_none() && !state.is_closing {
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name(self.name.clone());
            if let Ok(handle) = signals::with_all_blocked(|| thread.spawn(move || run(&shared))) {
                (state.thread, state.handle) = (Some(handle.thread().id()), Some(handle));
            }
        }
        state.thread.is_some()
    }

    /// Waits until every delivery is made, but not past the deadline, and not if a delivery calls this. If the thread
    /// could not be started, the calling thread makes the deliveries. The pool must have ended.
    pub(crate) fn join(&self, until: Option<Instant>) {
        let mut state = self.shared.state.lock();
        state.is_closing = true;
        self.shared.arrived.notify_one();
        let own = std::thread::current().id();
        let another_delivers = |state: &mut State| state.thread.is_some_and(|thread| thread != own);
        if !deadline::wait_while(&self.shared.ended, &mut state, until, another_delivers) || state.thread.is_some() {
            return;
        }
        while !deadline::has_passed(until) {
            let Some(delivery) = state.queue.pop_front() else { break };
            let rest = MutexGuard::unlocked(&mut state, || delivery.make());
            state.queue.extend(rest);
        }
        let handle = state.handle.take();
        drop(state);
        if let Some(handle) = handle {
            // The thread has nothing left to do, and the core catches the panics of callbacks.
            let _ = handle.join();
        }
    }
}

impl Shared {
    fn note_length(&self, state: &State) {
        // ORDERING: this is a hint. The state under the lock decides.
        self.waiting.store(state.queue.len(), Relaxed);
    }

    /// Waits for the next delivery. Returns `None` when the thread must end.
    fn next(&self, spin_budget: &mut SpinBudget) -> Option<Delivery> {
        let mut state = self.state.lock();
        if state.queue.is_empty() && !state.is_closing {
            // Waking a thread takes longer than most deliveries, and another delivery often follows soon.
            let found = MutexGuard::unlocked(&mut state, || spin_budget.spin(|| self.has_delivery()));
            if !found {
                let asleep = Instant::now();
                state.is_asleep = true;
                while state.queue.is_empty() && !state.is_closing {
                    self.arrived.wait(&mut state);
                }
                state.is_asleep = false;
                spin_budget.slept(asleep.elapsed());
            }
        }
        let next = state.queue.pop_front();
        self.note_length(&state);
        if next.is_none() {
            state.thread = None;
        }
        next
    }

    fn has_delivery(&self) -> bool {
        // ORDERING: as in `note_length`.
        self.waiting.load(Relaxed) > 0
    }
}

fn run(shared: &Shared) {
    let mut spin_budget = SpinBudget::new();
    while let Some(delivery) = shared.next(&mut spin_budget) {
        if let Some(rest) = delivery.make() {
            shared.state.lock().queue.push_back(rest);
        }
    }
    shared.ended.notify_all();
}
