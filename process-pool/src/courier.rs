//! Runs callbacks, so that the supervisor does not: a slow callback must not keep deaths and deadlines from being noticed,
//! and one that waits for another task of the same pool must not wait for itself.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use executor_core::task::Completed;
use parking_lot::Mutex;

/// A thread that is started when the first callback is to be run.
pub(crate) struct Courier {
    name: String,
    state: Mutex<State>,
}

struct State {
    sender: Option<Sender<Completed>>,
    thread: Option<JoinHandle<()>>,
}

impl Courier {
    pub(crate) fn new(pool: &str) -> Courier {
        Courier { name: format!("{pool}-callbacks"), state: Mutex::new(State { sender: None, thread: None }) }
    }

    /// Notifies those who wait for a task: here, if that is quickly done, else in the courier's thread.
    pub(crate) fn deliver(&self, completed: Completed) {
        if !completed.has_callbacks() {
            return drop(completed);
        }
        let mut state = self.state.lock();
        if state.sender.is_none() {
            let (sender, receiver) = channel();
            let thread = std::thread::Builder::new().name(self.name.clone()).spawn(move || run(&receiver));
            // Without a thread, callbacks are run by the supervisor: late is better than never.
            let Ok(thread) = thread else {
                drop(state);
                return drop(completed);
            };
            *state = State { sender: Some(sender), thread: Some(thread) };
        }
        let refused = match &state.sender {
            Some(sender) => sender.send(completed).err(),
            None => None,
        };
        drop(state);
        drop(refused);
    }

    /// Waits until every callback has run, unless one of them calls this. Nothing is delivered any more.
    pub(crate) fn join(&self) {
        let State { sender, thread } = std::mem::replace(&mut *self.state.lock(), State { sender: None, thread: None });
        drop(sender);
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // Panics of callbacks are contained by the core.
            let _ = thread.join();
        }
    }
}

fn run(receiver: &Receiver<Completed>) {
    for completed in receiver {
        drop(completed);
    }
}
