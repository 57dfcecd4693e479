//! The thread that runs user code on the executor's behalf.

use std::{
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    thread::{JoinHandle, ThreadId},
    time::Instant,
};

use executor_core::{Error, ErrorKind, Task, deadline, host, submit_line::Admitted, task::Completed};
use parking_lot::{Condvar, Mutex};

use crate::trace::Event;

/// The thread that runs callbacks and wakers, and drops what users made. The threads on which the others depend must
/// not run user code, which may be slow, or wait for another task.
pub(super) struct Callbacks {
    /// `None` after the end.
    sender: Mutex<Option<Sender<Delivery>>>,
    thread: ThreadId,
    handle: Mutex<Option<JoinHandle<()>>>,
    ended: Arc<(Mutex<bool>, Condvar)>,
}

pub(super) enum Delivery {
    /// A task that is done, with callbacks and wakers to run.
    Completed(Completed),
    /// A task that was done before.
    Discarded(Task),
    /// A submitter for which there is room, with a waker to run.
    Admitted(Admitted),
    /// Something for the subscriber of events.
    Event(Event),
}

impl Callbacks {
    pub(super) fn start() -> Result<Callbacks, Error> {
        let (sender, receiver) = channel::<Delivery>();
        let ended = Arc::new((Mutex::new(false), Condvar::new()));
        let at_end = ended.clone();
        let run = move || {
            for delivery in receiver {
                match delivery {
                    Delivery::Completed(completed) => drop(completed),
                    Delivery::Discarded(task) => host::contain(|| drop(task)),
                    Delivery::Admitted(submitter) => submitter.notify(),
                    Delivery::Event(event) => event.report(),
                }
            }
            *at_end.0.lock() = true;
            at_end.1.notify_all();
        };
        let handle = std::thread::Builder::new().name("cluster-callbacks".into()).spawn(run).map_err(no_thread)?;
        let thread = handle.thread().id();
        Ok(Callbacks { sender: Mutex::new(Some(sender)), thread, handle: Mutex::new(Some(handle)), ended })
    }

    /// Wakes the threads that wait for a task, and lets the thread do the rest.
    pub(super) fn complete(&self, completed: Completed) {
        if let Some(rest) = completed.wake_threads() {
            self.send(Delivery::Completed(rest));
        }
    }

    pub(super) fn send(&self, delivery: Delivery) {
        // After the end nothing is delivered any more: the executor had no task left.
        if let Some(sender) = &*self.sender.lock() {
            let _ = sender.send(delivery);
        }
    }

    /// Returns whether a callback calls this.
    pub(super) fn is_own_thread(&self) -> bool {
        std::thread::current().id() == self.thread
    }

    /// Ends the thread after what was sent.
    pub(super) fn close(&self) {
        self.sender.lock().take();
    }

    /// Waits until the thread has ended, but not past the deadline. Returns whether it has.
    pub(super) fn join(&self, until: Option<Instant>) -> bool {
        let (ended, changed) = &*self.ended;
        if !deadline::wait_while(changed, &mut ended.lock(), until, |ended| !*ended) {
            return false;
        }
        if let Some(handle) = self.handle.lock().take() {
            // Panics of callbacks are caught, so the thread has not panicked.
            let _ = handle.join();
        }
        true
    }
}

pub(super) fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Other, format!("the cluster executor cannot start a thread: {error}"))
}
