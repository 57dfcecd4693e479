//! The actors around a task. Each behaves as a user or a back-end does.

use std::{
    future::{Future as _, IntoFuture},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use super::journal::{Argument, Job, Journal, Living, Value};
use crate::{
    Awaited, ErrorKind, Future, Promise, Task,
    function::outcome,
    promise,
    signal::Signal,
    task::{queued::run_inline, rare::Rare},
};

/// How a task is completed, unless it is cancelled before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It runs on a thread of this process.
    Local,
    /// A worker process runs it, and the thread that asks for the result unpacks the reply.
    Remote,
    /// The holder of a promise completes it.
    Promised,
    /// Its owner drops it, so it fails.
    Abandoned,
}

/// The owner's half of a task.
pub(super) enum Owner {
    Task(Task),
    Promise(Promise<Value>),
}

/// Makes a task to be completed in this way.
pub(super) fn subject(way: Way, journal: &Arc<Journal>) -> (Owner, Future<Value>) {
    if way == Way::Promised {
        let (promise, future) = promise();
        return (Owner::Promise(promise), future);
    }
    let (task, future) = job(journal);
    (Owner::Task(task), future)
}

/// Makes a task that runs locally or remotely.
pub(super) fn job(journal: &Arc<Journal>) -> (Task, Future<Value>) {
    let (task, typed) = Task::new(Job(Argument::new(journal)), Rare::none(), true);
    (task, Future::new(typed))
}

impl Owner {
    pub(super) fn complete(self, way: Way, journal: &Arc<Journal>) {
        match (self, way) {
            (Owner::Promise(promise), _) => complete_promise(&promise, journal),
            (Owner::Task(task), Way::Local) => task.run(),
            (Owner::Task(task), Way::Remote) => run_remotely(task, journal),
            (Owner::Task(task), _) => drop(task),
        }
    }
}

/// Runs a task as a process pool does. The task has no host, so a cancel that comes too late returns `false`.
pub(super) fn run_remotely(task: Task, journal: &Arc<Journal>) {
    // This fails if a task that waits for this one runs it inline.
    if task.encode(&mut Vec::new()).is_ok() && task.place(1) {
        journal.run();
        drop(task.complete(reply()));
    }
}

pub(super) fn reply() -> Vec<u8> {
    let mut reply = Vec::new();
    outcome::write_value(&mut (), &mut reply).expect("a unit can be encoded");
    reply
}

/// Completes a promise, which another thread may complete too.
pub(super) fn complete_promise(promise: &Promise<Value>, journal: &Arc<Journal>) {
    if promise.set_running_or_notify_cancel() {
        journal.run();
        promise.set_result(Value::new(journal)).expect("this thread completes it");
    }
}

/// What a thread does with a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// Completes it too. The first completion prevents the other.
    Complete,
    Cancel,
    /// Blocks until it is done.
    Wait,
    /// Adds a callback.
    Callback,
    /// Adds a result callback.
    View,
    /// Awaits it.
    Poll,
    /// Drops the future, which may be the last handle of the task.
    Drop,
    /// Blocks until the time-out.
    WaitUntilTimeout,
    /// Awaits it, and drops the await after the first poll.
    PollOnce,
}

impl Actor {
    pub(super) fn act(self, future: Future<Value>, journal: &Arc<Journal>) {
        match self {
            Actor::Complete => {
                run_inline(future.task());
            }
            Actor::Cancel => journal.record_cancel(future.cancel()),
            Actor::Wait => journal.record_result(future.result(None)),
            Actor::Callback => add_callback(&future, journal),
            Actor::View => add_result_callback(&future, journal),
            Actor::Poll => journal.record_result(block_on(future.into_future(), journal)),
            Actor::Drop => drop(future),
            Actor::WaitUntilTimeout => journal.record_result(future.result(Duration::from_nanos(1))),
            Actor::PollOnce => {
                let waker = SignalWaker::new(journal);
                let mut awaited = future.into_future();
                if let Poll::Ready(result) = poll(&mut awaited, &waker) {
                    journal.record_result(result);
                }
            }
        }
    }

    /// Returns whether the actor waits for a result.
    pub(super) fn waits(self) -> bool {
        matches!(self, Actor::Wait | Actor::Poll | Actor::WaitUntilTimeout | Actor::PollOnce)
    }

    /// Returns whether the actor always gets a result.
    pub(super) fn always_gets_a_result(self) -> bool {
        matches!(self, Actor::Wait | Actor::Poll)
    }
}

pub(super) fn add_callback(future: &Future<Value>, journal: &Arc<Journal>) {
    journal.callbacks_added.add();
    let (journal, living) = (journal.clone(), Living::new(journal));
    future.add_done_callback(move |future| {
        journal.callbacks_run.add();
        assert!(future.done(), "a callback is called when the task is done");
        let seen = future.task().state.snapshot();
        if !seen.is_failed() && !seen.is_cancelled() {
            journal.see_effect();
        }
        drop(living);
    });
}

pub(super) fn add_result_callback(future: &Future<Value>, journal: &Arc<Journal>) {
    journal.callbacks_added.add();
    let (journal, living) = (journal.clone(), Living::new(journal));
    future.add_result_callback(move |result| {
        journal.callbacks_run.add();
        match result {
            Ok(_) => {
                journal.see_effect();
                journal.change_value();
            }
            Err(error) if error.kind() == ErrorKind::InvalidState => journal.see_effect(),
            Err(_) => {}
        }
        drop(living);
    });
}

/// A waker that ends the sleep of a minimal runtime.
pub(super) struct SignalWaker {
    pub(super) signal: Signal,
    _living: Living,
}

impl SignalWaker {
    pub(super) fn new(journal: &Arc<Journal>) -> Arc<SignalWaker> {
        Arc::new(SignalWaker { signal: Signal::default(), _living: Living::new(journal) })
    }
}

impl Wake for SignalWaker {
    fn wake(self: Arc<SignalWaker>) {
        self.signal.set();
    }
}

fn poll(awaited: &mut Awaited<Value>, waker: &Arc<SignalWaker>) -> Poll<Result<Value, crate::Error>> {
    Pin::new(awaited).poll(&mut Context::from_waker(&Waker::from(waker.clone())))
}

pub(super) fn block_on(mut awaited: Awaited<Value>, journal: &Arc<Journal>) -> Result<Value, crate::Error> {
    let waker = SignalWaker::new(journal);
    loop {
        match poll(&mut awaited, &waker) {
            Poll::Ready(result) => return result,
            Poll::Pending => waker.signal.wait(None),
        }
    }
}
