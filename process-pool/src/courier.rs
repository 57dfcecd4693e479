//! The thread that runs user code on the pool's behalf: callbacks, wakers, the `Drop` of results, `tracing`.
//!
//! The supervisor runs none, and neither does a thread that has just read somebody else's reply: user code may be slow,
//! or wait for another task of the same pool. Here it holds up other user code at most.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::{JoinHandle, ThreadId},
    time::Instant,
};

use executor_core::{deadline, spin::SpinBudget, task::Completed};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{signals, trace::Trace};

/// A thread that is started when the first user code is to be run.
pub(crate) struct Courier {
    name: String,
    shared: Arc<Shared>,
}

/// What runs user code.
enum Delivery {
    /// A task's end, with those who are to be notified of it.
    Completed(Completed),
    Trace(Trace),
}

impl Delivery {
    fn make(self) {
        match self {
            Delivery::Completed(completed) => drop(completed),
            Delivery::Trace(trace) => trace.tell(),
        }
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// How many deliveries wait, for a look without the lock.
    waiting: AtomicUsize,
    /// Notified when there is one, if the thread sleeps.
    arrived: Condvar,
    /// Notified when the thread has ended.
    over: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Delivery>,
    is_asleep: bool,
    /// Which thread makes deliveries, for as long as it does.
    at_work: Option<ThreadId>,
    /// For the one who waits until the thread is gone.
    handle: Option<JoinHandle<()>>,
    /// The thread is to end when nothing is left.
    is_closing: bool,
}

impl Courier {
    pub(crate) fn new(pool: &str) -> Courier {
        Courier { name: format!("{pool}-callbacks"), shared: Arc::default() }
    }

    /// Notifies those who wait for a task: threads right here, and whatever is user code in the courier's thread.
    ///
    /// False: there is no such thread, for want of memory or of threads. [Try again](Courier::retry).
    #[must_use]
    pub(crate) fn deliver(&self, completed: Completed) -> bool {
        completed.wake_threads().is_none_or(|rest| self.send(Delivery::Completed(rest)))
    }

    /// Tells `tracing` what has happened. The answer is as for [`deliver`](Courier::deliver).
    #[must_use]
    pub(crate) fn tell(&self, trace: Trace) -> bool {
        self.send(Delivery::Trace(trace))
    }

    fn send(&self, delivery: Delivery) -> bool {
        let mut state = self.shared.state.lock();
        if state.is_closing && state.at_work.is_none() {
            // The pool is over, and so is its supervisor: this is a user's thread.
            drop(state);
            delivery.make();
            return true;
        }
        state.queue.push_back(delivery);
        self.shared.note_length(&state);
        if state.is_asleep {
            self.shared.arrived.notify_one();
        }
        self.has_thread(&mut state)
    }

    /// Starts the thread if it could not be started before. The answer is as for [`deliver`](Courier::deliver).
    #[must_use]
    pub(crate) fn retry(&self) -> bool {
        let mut state = self.shared.state.lock();
        state.queue.is_empty() || self.has_thread(&mut state)
    }

    fn has_thread(&self, state: &mut State) -> bool {
        if state.at_work.is_none() && !state.is_closing {
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name(self.name.clone());
            if let Ok(handle) = signals::with_all_blocked(|| thread.spawn(move || run(&shared))) {
                (state.at_work, state.handle) = (Some(handle.thread().id()), Some(handle));
            }
        }
        state.at_work.is_some()
    }

    /// Waits until every delivery is made, unless one of them calls this, but no longer than until the deadline. Where
    /// there never was a thread for them, they are made here. To be called when the pool is over.
    pub(crate) fn join(&self, until: Option<Instant>) {
        let mut state = self.shared.state.lock();
        state.is_closing = true;
        self.shared.arrived.notify_one();
        let own = std::thread::current().id();
        let others_work = |state: &mut State| state.at_work.is_some_and(|thread| thread != own);
        if !deadline::wait_while(&self.shared.over, &mut state, until, others_work) || state.at_work.is_some() {
            return;
        }
        while !deadline::has_passed(until)
            && let Some(delivery) = state.queue.pop_front()
        {
            MutexGuard::unlocked(&mut state, || delivery.make());
        }
        let handle = state.handle.take();
        drop(state);
        if let Some(handle) = handle {
            // It has nothing left to do, and panics of callbacks are contained by the core.
            let _ = handle.join();
        }
    }
}

impl Shared {
    fn note_length(&self, state: &State) {
        // ORDERING: a hint; what counts is what is found under the lock.
        self.waiting.store(state.queue.len(), Relaxed);
    }

    /// The next delivery, when there is one. None: it is over.
    fn next(&self, patience: &mut SpinBudget) -> Option<Delivery> {
        let mut state = self.state.lock();
        if state.queue.is_empty() && !state.is_closing {
            // To be woken takes longer than most deliveries, and where there was one there often is another soon.
            let found = MutexGuard::unlocked(&mut state, || patience.spin(|| self.has_some()));
            if !found {
                let asleep = Instant::now();
                state.is_asleep = true;
                while state.queue.is_empty() && !state.is_closing {
                    self.arrived.wait(&mut state);
                }
                state.is_asleep = false;
                patience.slept(asleep.elapsed());
            }
        }
        let next = state.queue.pop_front();
        self.note_length(&state);
        if next.is_none() {
            state.at_work = None;
        }
        next
    }

    fn has_some(&self) -> bool {
        // ORDERING: as in `note_length`.
        self.waiting.load(Relaxed) > 0
    }
}

fn run(shared: &Shared) {
    let mut patience = SpinBudget::new();
    while let Some(delivery) = shared.next(&mut patience) {
        delivery.make();
    }
    shared.over.notify_all();
}
