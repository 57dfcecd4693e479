//! What a rule works with: observed executors, gates, and futures that the watchdog can describe.

use std::{fmt, sync::Arc, time::Duration};

use executor_core::{Error, Executor, Function, Future, Payload};

use crate::{Capabilities, Gate, Harness, Setup, Subject, Tracked, registry::Registry};

/// One run of one rule on one back-end. A rule creates its executors, gates and futures through it.
pub struct Case {
    harness: Arc<dyn Harness>,
    registry: Arc<Registry>,
    event_timeout: Duration,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("harness", &self.harness.name())
            .field("event_timeout", &self.event_timeout)
            .finish()
    }
}

impl Case {
    pub(crate) fn new(harness: Arc<dyn Harness>, registry: Arc<Registry>, event_timeout: Duration) -> Case {
        Case { harness, registry, event_timeout }
    }

    /// Returns the capabilities that the back-end declares.
    pub fn can(&self) -> Capabilities {
        self.harness.capabilities()
    }

    /// Returns the time-out for a single event. It is long enough for a busy machine.
    pub fn event_timeout(&self) -> Duration {
        self.event_timeout
    }

    /// Creates an executor with this many workers.
    pub fn executor(&self, workers: usize) -> Subject {
        self.executor_with(&Setup::workers(workers))
    }

    /// Creates an executor with this setup.
    ///
    /// # Panics
    ///
    /// Panics if the back-end cannot create it.
    pub fn executor_with(&self, setup: &Setup) -> Subject {
        let backend = self
            .harness
            .executor(setup)
            .unwrap_or_else(|error| panic!("the back-end created no executor with {setup:?}: {error}"));
        Subject::new(backend, Arc::clone(&self.registry))
    }

    /// Creates a gate that is opened if the rule hangs or fails, so that its tasks can end.
    pub fn gate(&self, name: &str) -> Gate {
        let gate = Gate::new(name, self.event_timeout);
        self.registry.add_gate(gate.watch());
        gate
    }

    /// Registers a future with the watchdog until it is dropped.
    pub fn track<T: Send + 'static>(&self, label: impl Into<String>, future: Future<T>) -> Tracked<T> {
        Tracked::new(label.into(), future, Arc::clone(&self.registry))
    }

    /// Submits a task, and registers its future with the watchdog.
    ///
    /// # Panics
    ///
    /// Panics if the executor refuses the task.
    pub fn submit<F, A, R>(&self, executor: &Subject, label: impl Into<String>, function: F, args: A) -> Tracked<R>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        let label = label.into();
        match executor.submit(function, args) {
            Ok(future) => self.track(label, future),
            Err(error) => panic!("submit of `{label}` was refused: {error}"),
        }
    }

    /// Waits for the value of a task that must succeed.
    ///
    /// # Panics
    ///
    /// Panics if the task fails, or is not done in time.
    pub fn value<T: Send + 'static>(&self, future: &Future<T>) -> T {
        match future.result(self.event_timeout) {
            Ok(value) => value,
            Err(error) => panic!("a task that should succeed did not: {error} ({:?}; {future:?})", error.kind()),
        }
    }

    /// Waits for the error of a task that must fail in any way.
    ///
    /// # Panics
    ///
    /// Panics if the task succeeds, or is not done in time.
    pub fn failure<T: Send + 'static>(&self, future: &Future<T>) -> Error {
        let error = match future.result(self.event_timeout) {
            Ok(_) => panic!("a task that should fail succeeded: {future:?}"),
            Err(error) => error,
        };
        assert!(future.done(), "a task that should fail is not done in time: {error} ({future:?})");
        error
    }
}
