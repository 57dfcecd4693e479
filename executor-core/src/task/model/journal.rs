//! A record of what happened to one task, as a user can observe it.
//!
//! It uses atomics of the standard library, which loom does not see, so recording does not order the recorded steps.
//! All runs of a test happen on one system thread, one after the other.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use super::effect::Effect;
use crate::{
    Error, ErrorKind, Function,
    codec::Bytes,
    function::Entry,
    task::work::{Encoded, Work},
};

thread_local! {
    static CURRENT: RefCell<Option<Arc<Journal>>> = const { RefCell::new(None) };
}

#[derive(Default)]
pub(super) struct Count(AtomicUsize);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(super) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// The events in one run of a model.
pub(super) struct Journal {
    pub(super) ran: Count,
    /// Cancels that returned `true`, and cancels that returned `false`.
    pub(super) cancelled: Count,
    pub(super) not_cancelled: Count,
    pub(super) arguments: Lives,
    pub(super) values: Lives,
    pub(super) living: Lives,
    pub(super) callbacks_added: Count,
    pub(super) callbacks_run: Count,
    /// The results that the waiting threads received, one entry for each thread.
    pub(super) results: ResultCounts,
    /// The task's change of shared memory. A thread that knows that the task ran must see it; loom reports a failure.
    effect: Effect,
    /// What result callbacks change in the value. The thread that moves the value out must see it, and no callback may
    /// change it afterwards; loom reports a failure.
    changes: Effect,
}

#[derive(Default)]
pub(super) struct Lives {
    begun: Count,
    ended: Count,
}

/// How often requests for the result had each outcome.
#[derive(Default)]
pub(super) struct ResultCounts {
    pub(super) value: Count,
    /// Another thread had moved the value out.
    pub(super) taken: Count,
    pub(super) cancelled: Count,
    pub(super) broken: Count,
    pub(super) timeout: Count,
}

impl ResultCounts {
    pub(super) fn sum(&self) -> usize {
        self.value.get() + self.taken.get() + self.cancelled.get() + self.broken.get() + self.timeout.get()
    }
}

impl Lives {
    pub(super) fn begun(&self) -> usize {
        self.begun.get()
    }

    fn assert_ended(&self, what: &str) {
        assert_eq!(self.ended.get(), self.begun.get(), "{what}: dropped as often as made");
    }
}

impl Journal {
    /// Opens the journal of a new run.
    pub(super) fn open() -> Arc<Journal> {
        let journal = Arc::new(Journal {
            ran: Count::default(),
            cancelled: Count::default(),
            not_cancelled: Count::default(),
            arguments: Lives::default(),
            values: Lives::default(),
            living: Lives::default(),
            callbacks_added: Count::default(),
            callbacks_run: Count::default(),
            results: ResultCounts::default(),
            effect: Effect::default(),
            changes: Effect::default(),
        });
        CURRENT.set(Some(journal.clone()));
        journal
    }

    /// Checks the journal after all threads have ended and all handles of the task are dropped.
    pub(super) fn close(&self) {
        CURRENT.set(None);
        self.arguments.assert_ended("the argument");
        self.values.assert_ended("the value");
        self.living.assert_ended("a callback or a waker");
        assert_eq!(self.callbacks_run.get(), self.callbacks_added.get(), "each callback runs once");
        assert!(self.ran.get() <= 1, "a task runs once");
        assert!(self.results.value.get() <= 1, "a value is moved out once");
        // Exactly one of "it ran" and "it was cancelled" is true, and all cancels return the same.
        assert!(self.ran.get() == 0 || self.cancelled.get() == 0, "it ran, and a cancel returned true");
        assert!(self.cancelled.get() == 0 || self.not_cancelled.get() == 0, "two cancels returned different results");
        if self.cancelled.get() > 0 {
            assert_eq!(
                self.results.value.get() + self.results.taken.get() + self.results.broken.get(),
                0,
                "it was cancelled"
            );
        } else {
            assert_eq!(self.results.cancelled.get(), 0, "no thread has cancelled it");
        }
    }

    fn current() -> Arc<Journal> {
        CURRENT.with_borrow(Clone::clone).expect("a model is running")
    }

    /// Runs the task.
    pub(super) fn run(&self) {
        self.ran.add();
        self.effect.happen();
    }

    /// Checks that the calling thread, which knows that the task ran, sees what the task did.
    pub(super) fn see_effect(&self) {
        assert_eq!(self.effect.times(), 1, "what the task did");
    }

    /// Changes the value, for a result callback that is shown it.
    pub(super) fn change_value(&self) {
        self.changes.happen();
    }

    /// Records what a request for the result returned.
    pub(super) fn record_result(&self, result: Result<Value, Error>) {
        let results = &self.results;
        match result.map_err(|error| error.kind()) {
            Ok(_) => {
                self.see_effect();
                self.changes.happen();
                results.value.add();
            }
            Err(ErrorKind::InvalidState) => {
                self.see_effect();
                results.taken.add();
            }
            Err(ErrorKind::Cancelled) => results.cancelled.add(),
            Err(ErrorKind::Broken) => results.broken.add(),
            Err(ErrorKind::Timeout) => results.timeout.add(),
            Err(kind) => panic!("no request can return {kind:?} here"),
        }
    }

    pub(super) fn record_cancel(&self, cancelled: bool) {
        if cancelled { self.cancelled.add() } else { self.not_cancelled.add() }
    }
}

/// The argument of a task.
pub(super) struct Argument(Arc<Journal>);

impl Argument {
    pub(super) fn new(journal: &Arc<Journal>) -> Argument {
        journal.arguments.begun.add();
        Argument(journal.clone())
    }
}

impl Drop for Argument {
    fn drop(&mut self) {
        self.0.arguments.ended.add();
    }
}

/// The result of a task.
pub(super) struct Value(Arc<Journal>);

impl Value {
    pub(super) fn new(journal: &Arc<Journal>) -> Value {
        journal.values.begun.add();
        Value(journal.clone())
    }
}

impl Clone for Value {
    fn clone(&self) -> Value {
        Value::new(&self.0)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.values.ended.add();
    }
}

/// A part of each waker and callback, to count those that are alive.
pub(super) struct Living(Arc<Journal>);

impl Living {
    pub(super) fn new(journal: &Arc<Journal>) -> Living {
        journal.living.begun.add();
        Living(journal.clone())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.living.ended.add();
    }
}

/// A task that can run locally, and be encoded to run remotely.
pub(super) struct Job(pub(super) Argument);

impl Work for Job {
    type Output = Value;

    fn name() -> &'static str {
        "job"
    }

    fn run(self) -> Result<Value, Error> {
        self.0.0.run();
        Ok(Value::new(&self.0.0))
    }

    fn encode(self, _: &mut Vec<u8>) -> Result<Encoded, Error> {
        fn entry<F: Function<(), ()>>(_: F) -> &'static Entry {
            Entry::of::<F, (), ()>()
        }
        Ok(Encoded { entry: entry(|()| {}), batch: None })
    }

    fn unpack(_: Bytes) -> Result<Value, Error> {
        Ok(Value::new(&Journal::current()))
    }
}
