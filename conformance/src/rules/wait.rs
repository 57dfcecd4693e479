//! Rules of `wait`: it returns every future, done or not, and waits no longer than requested.

use std::time::Duration;

use executor_core::{Executor, Future, ReturnWhen, Waited, wait};

use crate::{Case, Gate, Subject, Ticket};

/// The tasks with which `wait` is tested. Each returns its own number.
pub(super) struct Tasks<'c> {
    case: &'c Case,
    executor: Subject,
    gate: Gate,
}

impl<'c> Tasks<'c> {
    /// Creates an executor with two workers. Each call of `held` blocks one of them.
    pub(super) fn new(case: &'c Case) -> Tasks<'c> {
        Tasks { case, executor: case.executor(2), gate: case.gate("held tasks") }
    }

    /// Returns a future that is done with a value.
    pub(super) fn succeeded(&self, number: u32) -> Future<u32> {
        let future = self.case.submit(&self.executor, "succeeds", |n: u32| n, number);
        future.exception(self.case.event_timeout()).expect("it is done in time");
        future.into_future()
    }

    /// Returns a future that is done with an error.
    pub(super) fn failed(&self) -> Future<u32> {
        let future = self.case.submit(&self.executor, "fails", |n: u32| 100 / n, 0);
        self.case.failure(&future);
        future.into_future()
    }

    /// Returns the future of a task that runs until its release.
    pub(super) fn held(&self, number: u32) -> Future<u32> {
        let future = self.case.submit(&self.executor, "held", Ticket::pass, self.gate.ticket(number));
        self.gate.wait_for_label(number);
        future.into_future()
    }

    /// Returns the future of a task that runs until its release, and then fails.
    pub(super) fn held_and_failing(&self, number: u32) -> Future<u32> {
        let fails = |ticket: Ticket| -> u32 { panic!("task {} fails", ticket.pass()) };
        let future = self.case.submit(&self.executor, "held and failing", fails, self.gate.ticket(number));
        self.gate.wait_for_label(number);
        future.into_future()
    }

    /// Returns a cancelled future. Both workers must be blocked, so that its task cannot start.
    pub(super) fn cancelled(&self) -> Future<u32> {
        let future = self.case.submit(&self.executor, "cancelled", |n: u32| n, 0);
        assert!(future.cancel(), "{future:?} could start");
        future.into_future()
    }

    pub(super) fn release(&self, number: u32) {
        self.gate.release(number);
    }

    pub(super) fn open(&self) {
        self.gate.open();
    }
}

impl Drop for Tasks<'_> {
    fn drop(&mut self) {
        // The drop of the executor waits for the held tasks, so the gate must open before.
        self.gate.open();
    }
}

fn sides<T: Send + 'static>(waited: &Waited<T>) -> (usize, usize) {
    (waited.done.len(), waited.not_done.len())
}

pub(super) fn cf_077_wait_returns_each_future_once(case: &Case) {
    let tasks = Tasks::new(case);
    let future = tasks.succeeded(1);
    let id = future.id();
    let waited = wait([future], case.event_timeout(), ReturnWhen::AllCompleted);
    assert_eq!(sides(&waited), (1, 0));
    assert_eq!(waited.done[0].id(), id);
    let again = wait(waited.done, case.event_timeout(), ReturnWhen::AllCompleted);
    assert_eq!(sides(&again), (1, 0));
    assert_eq!(case.value(&again.done[0]), 1);
}

pub(super) fn cf_078_first_completed_returns_with_the_first(case: &Case) {
    let tasks = Tasks::new(case);
    let (fast, slow) = (tasks.held(1), tasks.held(2));
    let fast_id = fast.id();
    tasks.release(1);
    let waited = wait([slow, fast], case.event_timeout(), ReturnWhen::FirstCompleted);
    assert_eq!(sides(&waited), (1, 1));
    assert_eq!(waited.done[0].id(), fast_id);
    assert!(!waited.not_done[0].done());
}

pub(super) fn a_cancelled_future_is_the_first_completed(case: &Case) {
    let tasks = Tasks::new(case);
    let held = [tasks.held(1), tasks.held(2)];
    let cancelled = tasks.cancelled();
    let waited = wait(held.into_iter().chain([cancelled]), case.event_timeout(), ReturnWhen::FirstCompleted);
    assert_eq!(sides(&waited), (1, 2));
    assert!(waited.done[0].cancelled());
}

pub(super) fn cf_079_first_completed_returns_futures_that_are_already_done(case: &Case) {
    let tasks = Tasks::new(case);
    let (succeeded, failed, held) = (tasks.succeeded(1), tasks.failed(), tasks.held(2));
    let waited = wait([held, succeeded, failed], case.event_timeout(), ReturnWhen::FirstCompleted);
    assert_eq!(sides(&waited), (2, 1));
    assert!(waited.not_done[0].running());
}

pub(super) fn cf_080_first_exception_returns_with_the_first_failure(case: &Case) {
    let tasks = Tasks::new(case);
    let succeeded = tasks.succeeded(1);
    let (failing, held) = (tasks.held_and_failing(2), tasks.held(3));
    tasks.release(2);
    let waited = wait([succeeded, failing, held], case.event_timeout(), ReturnWhen::FirstException);
    assert_eq!(sides(&waited), (2, 1));
    assert!(waited.not_done[0].running());
}

pub(super) fn cf_081_a_cancelled_future_is_not_a_failure(case: &Case) {
    let tasks = Tasks::new(case);
    let succeeded = tasks.succeeded(1);
    let (failing, held) = (tasks.held_and_failing(2), tasks.held(3));
    let cancelled = tasks.cancelled();
    let waited = wait([succeeded, cancelled, failing, held], Duration::from_millis(1), ReturnWhen::FirstException);
    assert_eq!(sides(&waited), (2, 2), "it returned before anything failed");
    tasks.release(2);
    let futures = waited.done.into_iter().chain(waited.not_done);
    let waited = wait(futures, case.event_timeout(), ReturnWhen::FirstException);
    assert_eq!(sides(&waited), (3, 1));
    assert!(waited.not_done[0].running());
}

pub(super) fn cf_082_first_exception_returns_immediately_if_one_has_failed(case: &Case) {
    let tasks = Tasks::new(case);
    let (failed, held) = (tasks.failed(), tasks.held(1));
    let waited = wait([held, failed], case.event_timeout(), ReturnWhen::FirstException);
    assert_eq!(sides(&waited), (1, 1));
    assert!(waited.not_done[0].running());
}

pub(super) fn first_exception_without_one_waits_for_all(case: &Case) {
    let tasks = Tasks::new(case);
    let futures = [tasks.held(1), tasks.held(2), tasks.cancelled()];
    tasks.open();
    let waited = wait(futures, case.event_timeout(), ReturnWhen::FirstException);
    assert_eq!(sides(&waited), (3, 0));
}

pub(super) fn cf_083_all_completed_waits_for_every_kind_of_end(case: &Case) {
    let tasks = Tasks::new(case);
    let (succeeded, failed) = (tasks.succeeded(1), tasks.failed());
    let held = [tasks.held(2), tasks.held_and_failing(3)];
    let cancelled = tasks.cancelled();
    tasks.open();
    let futures = held.into_iter().chain([succeeded, failed, cancelled]);
    let waited = wait(futures, case.event_timeout(), ReturnWhen::AllCompleted);
    assert_eq!(sides(&waited), (5, 0));
    assert!(waited.done.iter().all(Future::done));
}

pub(super) fn cf_084_a_time_out_is_not_an_error(case: &Case) {
    let tasks = Tasks::new(case);
    let (succeeded, failed, held) = (tasks.succeeded(1), tasks.failed(), tasks.held(2));
    let mut futures = vec![succeeded, held, failed];
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        let waited = wait(futures, timeout, ReturnWhen::AllCompleted);
        assert_eq!(sides(&waited), (2, 1));
        assert!(waited.not_done[0].running(), "the time-out does not affect the task");
        futures = waited.done.into_iter().chain(waited.not_done).collect();
    }
    tasks.open();
    assert_eq!(sides(&wait(futures, Duration::MAX, ReturnWhen::AllCompleted)), (3, 0));
}

pub(super) fn one_wait_accepts_futures_of_several_executors(case: &Case) {
    let (left, right) = (case.executor(1), case.executor(1));
    let gate = case.gate("right");
    let quick = case.submit(&left, "left", |n: u32| n, 1).into_future();
    let held = case.submit(&right, "right", Ticket::pass, gate.ticket(2)).into_future();
    let (promise, promised) = executor_core::promise::<u32>();
    let quick_id = quick.id();
    let waited = wait([held, promised, quick], case.event_timeout(), ReturnWhen::FirstCompleted);
    assert_eq!(sides(&waited), (1, 2));
    assert_eq!(waited.done[0].id(), quick_id);
    gate.open();
    promise.set_result(3).expect("it is pending");
    let rest = wait(waited.not_done, case.event_timeout(), ReturnWhen::AllCompleted);
    let mut values: Vec<_> = rest.done.iter().map(|future| case.value(future)).collect();
    values.sort_unstable();
    assert_eq!(values, [2, 3]);
}

pub(super) fn waiting_does_not_change_the_futures(case: &Case) {
    let tasks = Tasks::new(case);
    let futures = [tasks.succeeded(4), tasks.held(5)];
    let waited = wait(futures, Duration::ZERO, ReturnWhen::AllCompleted);
    assert_eq!(case.value(&waited.done[0]), 4);
    tasks.open();
    assert_eq!(case.value(&waited.not_done[0]), 5);
}

pub(super) fn cf_085_tasks_that_end_at_the_same_moment_are_all_counted(case: &Case) {
    let executor = case.executor(4);
    for _ in 0..10 {
        let futures: Vec<_> = (0..100).map(|n| executor.submit(|n: u32| n, n).expect("it is open")).collect();
        let waited = wait(futures, case.event_timeout(), ReturnWhen::AllCompleted);
        assert_eq!(sides(&waited), (100, 0));
        assert_eq!(waited.done.iter().map(|future| case.value(future)).sum::<u32>(), (0..100).sum());
    }
}

pub(super) fn wait_accepts_shared_futures_and_returns_them(case: &Case) {
    let tasks = Tasks::new(case);
    let futures = [tasks.held(1).shared(), tasks.succeeded(2).shared()];
    let waited = wait(futures.clone(), Duration::ZERO, ReturnWhen::AllCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    assert!(waited.done[0] == futures[1] && waited.not_done[0] == futures[0] && futures[0] != futures[1]);
    tasks.open();
    assert!(wait(&futures, case.event_timeout(), ReturnWhen::AllCompleted).not_done.is_empty());
    assert_eq!(futures.map(|future| future.result(None).expect("it succeeds")), [1, 2]);
}

pub(super) fn wait_accepts_references_and_returns_them(case: &Case) {
    let tasks = Tasks::new(case);
    let futures = [tasks.held(1), tasks.succeeded(2)];
    let waited = wait(&futures, Duration::ZERO, ReturnWhen::AllCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    assert_eq!((waited.done[0].id(), waited.not_done[0].id()), (futures[1].id(), futures[0].id()));
    tasks.open();
    assert!(wait(&futures, case.event_timeout(), ReturnWhen::AllCompleted).not_done.is_empty());
    assert_eq!(futures.map(|future| case.value(&future)), [1, 2]);
}
