//! Runs callbacks and tells `tracing`, so that the supervisor does not: a slow callback must not keep deaths and deadlines from being noticed,
//! and one that waits for another task of the same pool must not wait for itself.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{JoinHandle, Thread},
    time::Instant,
};

use executor_core::task::Completed;
use parking_lot::{Condvar, Mutex};

use crate::trace::Trace;

/// A thread that is started when the first callback is to be run.
pub(crate) struct Courier {
    name: String,
    shared: Arc<Shared>,
}

/// What leads to user code.
enum Parcel {
    /// A task's end, with those who are to be notified of it.
    Completed(Completed),
    Trace(Trace),
}

impl Parcel {
    fn open(self) {
        match self {
            Parcel::Completed(completed) => drop(completed),
            Parcel::Trace(trace) => trace.tell(),
        }
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when the thread has run its last callback.
    over: Condvar,
}

#[derive(Default)]
struct State {
    sender: Option<Sender<Parcel>>,
    /// Which thread runs callbacks, for as long as it does.
    at_work: Option<Thread>,
    /// For the one who waits until the thread is gone.
    handle: Option<JoinHandle<()>>,
}

impl Courier {
    pub(crate) fn new(pool: &str) -> Courier {
        Courier { name: format!("{pool}-callbacks"), shared: Arc::default() }
    }

    /// Notifies those who wait for a task: here, if that is quickly done, else in the courier's thread.
    pub(crate) fn deliver(&self, completed: Completed) {
        if completed.has_callbacks() {
            self.send(Parcel::Completed(completed));
        }
    }

    /// Tells `tracing` what has happened.
    pub(crate) fn tell(&self, trace: Trace) {
        self.send(Parcel::Trace(trace));
    }

    fn send(&self, parcel: Parcel) {
        let mut state = self.shared.state.lock();
        if state.sender.is_none() {
            let (sender, receiver) = channel();
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name(self.name.clone()).spawn(move || run(&receiver, &shared));
            // Without a thread, user code is run by the supervisor: late is better than never.
            let Ok(handle) = thread else {
                drop(state);
                return parcel.open();
            };
            let at_work = Some(handle.thread().clone());
            *state = State { sender: Some(sender), at_work, handle: Some(handle) };
        }
        let refused = match &state.sender {
            Some(sender) => sender.send(parcel).err(),
            None => None,
        };
        drop(state);
        drop(refused);
    }

    /// Waits until every callback has run, unless one of them calls this, but no longer than until the deadline. To be
    /// called when nothing is delivered any more.
    pub(crate) fn join(&self, deadline: Option<Instant>) {
        let mut state = self.shared.state.lock();
        state.sender = None;
        while let Some(thread) = &state.at_work {
            if thread.id() == std::thread::current().id() {
                return;
            }
            match deadline {
                None => self.shared.over.wait(&mut state),
                Some(deadline) => {
                    if self.shared.over.wait_until(&mut state, deadline).timed_out() {
                        return;
                    }
                }
            }
        }
        let handle = state.handle.take();
        drop(state);
        if let Some(handle) = handle {
            // It has nothing left to do, and panics of callbacks are contained by the core.
            let _ = handle.join();
        }
    }
}

fn run(receiver: &Receiver<Parcel>, shared: &Shared) {
    receiver.iter().for_each(Parcel::open);
    shared.state.lock().at_work = None;
    shared.over.notify_all();
}
