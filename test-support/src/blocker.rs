//! A task that keeps one worker busy.

use conformance::{Gate, Ticket};
use executor_core::{Executor, Future, TaskOptions};

use crate::DEADLINE;

/// A task that runs until it is released, on any executor.
///
/// Dropping it releases the task. Otherwise the drop of the pool in a test that fails would wait for the task.
#[derive(Debug)]
pub struct Blocker {
    /// Holds the task until it is opened.
    pub gate: Gate,
    /// The future of the task, which returns the id of its process.
    pub future: Future<u32>,
}

fn pass(ticket: Ticket) -> u32 {
    ticket.pass();
    std::process::id()
}

impl Blocker {
    /// Submits the task, and waits until it runs.
    ///
    /// # Panics
    ///
    /// If the executor refuses the task, or does not start it before the [`DEADLINE`].
    pub fn start(executor: &(impl Executor + ?Sized)) -> Blocker {
        Blocker::start_with(executor, TaskOptions::new())
    }

    /// Does the same as [`Blocker::start`], with options.
    ///
    /// # Panics
    ///
    /// As [`Blocker::start`].
    pub fn start_with(executor: &(impl Executor + ?Sized), options: TaskOptions) -> Blocker {
        let blocker = Blocker::submit_with(executor, options);
        blocker.wait_until_running();
        blocker
    }

    /// Submits the task, and does not wait until it runs.
    ///
    /// # Panics
    ///
    /// If the executor refuses the task.
    pub fn submit(executor: &(impl Executor + ?Sized)) -> Blocker {
        Blocker::submit_with(executor, TaskOptions::new())
    }

    fn submit_with(executor: &(impl Executor + ?Sized), options: TaskOptions) -> Blocker {
        let gate = Gate::new("blocker", DEADLINE);
        let future = executor.submit_with(options, pass, gate.ticket(0)).expect("the executor accepts a task");
        Blocker { gate, future }
    }

    /// Waits until the task runs.
    ///
    /// # Panics
    ///
    /// If it does not start before the [`DEADLINE`].
    pub fn wait_until_running(&self) {
        self.gate.wait_arrivals(1);
    }

    /// Lets the task end, and does not wait for its end.
    pub fn open(&self) {
        self.gate.open();
    }

    /// Lets the task end, and waits for its result.
    ///
    /// # Panics
    ///
    /// If the task fails.
    pub fn release(self) {
        self.open();
        self.future.result(DEADLINE).expect("a released task succeeds");
    }
}
