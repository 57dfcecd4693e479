//! Rules of `close`, `join` and `shutdown`: every future completes, from any thread and however often they are called.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use executor_core::{ErrorKind, Executor, MapOptions, Shutdown};
use serde::{Deserialize, Serialize};

use crate::{Address, Case, Counter, Probe, Ticket};

const MODES: [Shutdown; 3] =
    [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Terminate { grace: Duration::from_secs(3600) }];

pub(super) fn cf_091_cf_093_nothing_is_accepted_after_shutdown(case: &Case) {
    for mode in MODES {
        let executor = case.executor(1);
        assert_eq!(case.value(&case.submit(&executor, "before", |n: u8| n, 1)), 1);
        executor.shutdown(mode);
        let refused = [
            executor.submit(|n: u8| n, 1).map(drop),
            executor.try_submit(|n: u8| n, 1).map(drop),
            executor.submit_with(executor_core::TaskOptions::new().priority(1), |n: u8| n, 1).map(drop),
            executor.map(|n: u8| n, [1]).map(drop),
            executor.map_with(MapOptions::new().chunksize(2), |n: u8| n, [1, 2]).map(drop),
        ];
        for result in refused {
            let error = result.expect_err("it was shut down");
            assert_eq!(error.kind(), ErrorKind::ShutDown, "{error}");
        }
    }
}

pub(super) fn cf_094_draining_runs_everything_that_was_accepted(case: &Case) {
    let executor = case.executor(2);
    let futures: Vec<_> = (0..50).map(|n| case.submit(&executor, format!("task {n}"), |n: u32| n, n)).collect();
    executor.shutdown(Shutdown::Drain);
    for (n, future) in (0..).zip(&futures) {
        assert_eq!(future.result(Duration::ZERO).expect("it is done when `shutdown` returns"), n);
    }
}

pub(super) fn cf_095_cancel_pending_finishes_what_runs_and_cancels_the_rest(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("running");
    let futures: Vec<_> = (0..50)
        .map(|label| case.submit(&executor, format!("task {label}"), Ticket::pass, gate.ticket(label)))
        .collect();
    gate.wait_arrivals(2);
    gate.flush();
    executor.close(Shutdown::CancelPending);
    let ran = gate.labels();
    gate.open();
    executor.shutdown(Shutdown::CancelPending);
    for (label, future) in (0..).zip(&futures) {
        match future.result(Duration::ZERO) {
            Ok(_) => assert!(ran.contains(&label), "task {label} ran although it should have been cancelled"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
                assert!(future.cancelled() && !ran.contains(&label));
            }
        }
    }
    let mut labels = gate.labels();
    labels.sort_unstable();
    assert_eq!(labels, [0, 1], "the tasks that ran are not the two oldest");
}

pub(super) fn cf_066_cf_076_terminate_stops_what_runs_and_cancels_the_rest(case: &Case) {
    for grace in [Duration::ZERO, case.event_timeout()] {
        let executor = case.executor(2);
        let gate = case.gate("running");
        let futures: Vec<_> = (0..10)
            .map(|label| case.submit(&executor, format!("task {label}"), Ticket::pass, gate.ticket(label)))
            .collect();
        gate.wait_arrivals(2);
        executor.shutdown(Shutdown::Terminate { grace });
        for (label, future) in (0..).zip(&futures) {
            let error = future.result(Duration::ZERO).expect_err("it cannot end by itself");
            let expected = if label < 2 { ErrorKind::Terminated } else { ErrorKind::Cancelled };
            assert_eq!(error.kind(), expected, "task {label}: {error}");
        }
        gate.wait_gone(0);
        gate.wait_gone(1);
        assert_eq!(gate.arrivals().len(), 2);
    }
}

pub(super) fn terminate_that_cannot_stop_a_task_cancels_the_rest_and_waits(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", Ticket::report, gate.ticket(1));
    executor.close(Shutdown::Terminate { grace: Duration::ZERO });
    assert_eq!(case.failure(&pending).kind(), ErrorKind::Cancelled);
    assert!(running.running());
    gate.open();
    executor.shutdown(Shutdown::Drain);
    assert_eq!(running.result(Duration::ZERO).expect("it ends by itself"), 0);
    assert_eq!(gate.labels(), [0]);
}

pub(super) fn cf_075_an_executor_that_was_never_used_shuts_down(case: &Case) {
    for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Terminate { grace: Duration::ZERO }] {
        let executor = case.executor(2);
        executor.shutdown(mode);
        assert!(executor.join(Duration::ZERO.into()));
    }
}

pub(super) fn cf_074_any_shutdown_after_any_other_is_safe(case: &Case) {
    for first in MODES {
        for second in MODES {
            let executor = case.executor(1);
            let future = case.submit(&executor, "quick", |n: u8| n, 1);
            executor.close(first);
            executor.close(second);
            executor.shutdown(second);
            executor.shutdown(first);
            assert!(future.done(), "after {first:?} and {second:?} a future is not done");
            assert!(executor.join(None));
            assert_eq!(executor.submit(|n: u8| n, 1).expect_err("it is shut down").kind(), ErrorKind::ShutDown);
        }
    }
}

pub(super) fn a_second_close_may_be_stricter(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", Ticket::report, gate.ticket(1));
    executor.close(Shutdown::Drain);
    assert!(!pending.done());
    executor.close(Shutdown::CancelPending);
    assert_eq!(case.failure(&pending).kind(), ErrorKind::Cancelled);
    gate.open();
    case.value(&running);
}

pub(super) fn a_second_close_is_never_milder(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", Ticket::report, gate.ticket(1));
    executor.close(Shutdown::CancelPending);
    executor.close(Shutdown::Drain);
    gate.open();
    executor.shutdown(Shutdown::Drain);
    case.value(&running);
    assert_eq!(case.failure(&pending).kind(), ErrorKind::Cancelled);
    assert_eq!(gate.labels(), [0]);
}

pub(super) fn cf_101_cf_108_close_returns_immediately_and_join_waits(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", Ticket::pass, gate.ticket(1));
    executor.close(Shutdown::Drain);
    for timeout in [Duration::ZERO, Duration::from_millis(1)] {
        assert!(!executor.join(Some(timeout)), "a task is held, so its worker cannot have ended");
    }
    gate.open();
    assert!(executor.join(Some(case.event_timeout())));
    assert!(executor.join(Some(Duration::ZERO)), "the workers have ended");
    assert!(executor.join(None));
    assert_eq!(running.result(Duration::ZERO).expect("it ran"), 0);
    assert_eq!(pending.result(Duration::ZERO).expect("it ran"), 1);
}

pub(super) fn join_without_close_waits_until_close_is_called(case: &Case) {
    let executor = case.executor(1);
    assert_eq!(case.value(&case.submit(&executor, "before", |n: u8| n, 1)), 1);
    assert!(!executor.join(Some(Duration::ZERO)), "it was not closed");
    assert!(!executor.join(Some(Duration::from_millis(1))), "it was not closed");
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
    std::thread::scope(|scope| {
        let joiner = scope.spawn(|| executor.join(Some(case.event_timeout())));
        executor.close(Shutdown::Drain);
        assert!(joiner.join().expect("it does not panic"));
    });
}

pub(super) fn any_number_of_threads_may_shut_down_concurrently(case: &Case) {
    let executor = case.executor(2);
    let futures: Vec<_> = (0..20).map(|n| case.submit(&executor, "quick", |n: u32| n, n)).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| executor.shutdown(Shutdown::Drain));
        }
    });
    for future in &futures {
        assert!(future.result(Duration::ZERO).is_ok());
    }
}

pub(super) fn every_kind_of_shutdown_completes_every_future(case: &Case) {
    for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Terminate { grace: Duration::ZERO }] {
        for used in [false, true] {
            let executor = case.executor(2);
            if used {
                case.value(&case.submit(&executor, "before", |n: u8| n, 1));
            }
            let futures: Vec<_> = (0..30).map(|n| case.submit(&executor, format!("task {n}"), |n: u32| n, n)).collect();
            executor.close(mode);
            assert!(executor.join(Some(case.event_timeout())), "{mode:?}");
            for future in &futures {
                assert!(future.done(), "{mode:?} did not complete {future:?}");
            }
        }
    }
}

pub(super) fn shutdown_from_inside_a_task_does_not_wait_for_itself(case: &Case) {
    let executor = case.executor(2);
    let guard = executor.address_guard();
    let shuts_down = |address: Address| {
        let executor = address.executor();
        executor.shutdown(Shutdown::Drain);
        executor.submit(|n: u8| n, 1).is_err()
    };
    let future = case.submit(&executor, "shuts down", shuts_down, guard.address());
    assert!(case.value(&future), "it accepted a task from the task that shut it down");
    executor.shutdown(Shutdown::Drain);
}

pub(super) fn every_worker_has_ended_when_join_returns_true(case: &Case) {
    // Each worker has a thread-local value, whose drop at the end of the thread waits at a gate.
    let executor = case.executor(3);
    let counter = Counter::new();
    let (all, parting) = (case.gate("all"), case.gate("parting"));
    let futures: Vec<_> = (0..3)
        .map(|label| {
            let leaves = (all.ticket(label), Parting { ticket: parting.ticket(label), probe: counter.probe() });
            case.submit(&executor, "leaves a value", leave, leaves)
        })
        .collect();
    all.wait_arrivals(3);
    all.open();
    for future in &futures {
        case.value(future);
    }
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Windows starts no thread while another ends, so this one starts before that.
        let (closed, is_closed) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let joiner = scope.spawn({
            let (executor, ended) = (&executor, &ended);
            move || {
                let _ = started.send(());
                let _ = is_closed.recv();
                let gone = executor.join(None);
                ended.store(true, Ordering::SeqCst);
                gone
            }
        });
        // If an assertion fails, the gate must be opened before the scope waits for the joiner.
        let opens = parting.open_on_drop();
        let _ = has_started.recv();
        executor.close(Shutdown::Drain);
        // On Windows the values of one thread are dropped after those of another.
        parting.wait_arrivals(if cfg!(windows) { 1 } else { 3 });
        drop(closed);
        executor.wait_inside("join(None)", || ended.load(Ordering::SeqCst));
        parting.flush();
        assert!(!ended.load(Ordering::SeqCst), "`join` returned true while three workers were still ending");
        assert_eq!(counter.alive(), 3);
        drop(opens);
        assert!(joiner.join().expect("it does not panic"));
    });
    assert_eq!(counter.alive(), 0, "`join` returned true before the workers had ended");
}

/// A value in a thread-local of a worker. Its drop, at the end of the thread, waits at a gate.
#[derive(Serialize, Deserialize)]
struct Parting {
    ticket: Ticket,
    probe: Probe,
}

impl Drop for Parting {
    fn drop(&mut self) {
        let _ = &self.probe;
        self.ticket.pass();
    }
}

fn leave((ticket, parting): (Ticket, Parting)) -> u32 {
    thread_local!(static LEFT: std::cell::RefCell<Vec<Parting>> = const { std::cell::RefCell::new(Vec::new()) });
    LEFT.with(|left| left.borrow_mut().push(parting));
    ticket.pass()
}
