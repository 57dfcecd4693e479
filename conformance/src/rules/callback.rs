//! Rules of `add_done_callback`: each callback is called once, in order, when the future is done, in the thread that
//! completes it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use executor_core::{ErrorKind, Executor, Shutdown};

use crate::{Case, Ticket};

pub(super) fn cf_001_a_callback_sees_the_result(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(5));
    let (sender, receiver) = mpsc::channel();
    future.add_done_callback(move |future| {
        let state = (future.done(), future.running(), future.cancelled());
        let _ = sender.send((state, future.result(None)));
    });
    gate.open();
    let (state, result) = receiver.recv_timeout(case.event_timeout()).expect("the callback is called");
    assert_eq!(state, (true, false, false));
    assert_eq!(result.expect("the task succeeds"), 5);
    assert_eq!(future.result(None).expect_err("the callback has taken it").kind(), ErrorKind::InvalidState);
}

pub(super) fn cf_002_a_callback_sees_the_error(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "fails", |n: u64| 100 / n, 0);
    let (sender, receiver) = mpsc::channel();
    future.add_done_callback(move |future| {
        let _ = sender.send(future.exception(None));
    });
    let error = receiver.recv_timeout(case.event_timeout()).expect("the callback is called");
    let error = error.expect("it was not cancelled").expect("it failed");
    assert_eq!(error.kind(), ErrorKind::Panicked);
}

pub(super) fn cf_003_cancel_calls_the_callbacks_before_it_returns(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("blocker");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", Ticket::report, gate.ticket(1));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorded = seen.clone();
    pending.add_done_callback(move |future| {
        recorded.lock().expect("no panic while it is locked").push((thread::current().id(), future.cancelled()));
    });
    assert!(pending.cancel());
    assert_eq!(*seen.lock().expect("no panic while it is locked"), [(thread::current().id(), true)]);
    assert!(pending.cancel());
    assert_eq!(seen.lock().expect("no panic while it is locked").len(), 1, "a second cancel calls no callback");
    gate.open();
    case.value(&blocker);
}

pub(super) fn callbacks_are_called_in_the_order_they_were_added(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(0));
    let (sender, receiver) = mpsc::channel();
    for number in 0..20 {
        let sender = sender.clone();
        future.add_done_callback(move |_| {
            let _ = sender.send((number, thread::current().id()));
        });
    }
    drop(sender);
    gate.open();
    case.value(&future);
    let mut seen = Vec::new();
    while let Ok(call) = receiver.recv_timeout(case.event_timeout()) {
        seen.push(call);
    }
    assert_eq!(seen.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    assert!(seen.iter().all(|(_, thread)| *thread == seen[0].1), "they ran on different threads");
}

pub(super) fn a_callback_runs_in_the_thread_that_completes_the_future(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", pass_and_return_thread, gate.ticket(0));
    let (sender, receiver) = mpsc::channel();
    future.add_done_callback(move |_| {
        let _ = sender.send(format!("{:?}", thread::current().id()));
    });
    gate.open();
    let of_task = case.value(&future);
    assert_eq!(receiver.recv_timeout(case.event_timeout()).expect("the callback is called"), of_task);
}

fn pass_and_return_thread(ticket: Ticket) -> String {
    ticket.pass();
    format!("{:?}", thread::current().id())
}

pub(super) fn cf_005_cf_006_cf_007_a_late_callback_is_called_immediately_by_the_adding_thread(case: &Case) {
    let executor = case.executor(1);
    let succeeded = case.submit(&executor, "succeeds", |n: u64| 100 / n, 1);
    let failed = case.submit(&executor, "fails", |n: u64| 100 / n, 0);
    for future in [&succeeded, &failed] {
        let _ = future.exception(case.event_timeout()).expect("it is done in time");
        late(future);
    }
    if case.can().concurrent {
        let gate = case.gate("blocker");
        let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
        gate.wait_arrivals(1);
        let cancelled = case.submit(&executor, "cancelled", |n: u64| 100 / n, 1);
        assert!(cancelled.cancel());
        late(&cancelled);
        gate.open();
        case.value(&blocker);
    }
}

fn late(future: &executor_core::Future<u64>) {
    let adder = thread::current().id();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    future.add_done_callback(move |future| {
        assert!(future.done());
        if thread::current().id() == adder {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

pub(super) fn cf_004_a_callback_that_panics_affects_nothing_else(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(1));
    let (sender, receiver) = mpsc::channel();
    future.add_done_callback(|_| panic!("a callback of the conformance suite panics on purpose"));
    future.add_done_callback(move |_| {
        let _ = sender.send(());
    });
    gate.open();
    receiver.recv_timeout(case.event_timeout()).expect("the second callback is called");
    assert_eq!(case.value(&future), 1);
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 2)), 2);
}

pub(super) fn cf_008_a_late_callback_that_panics_does_not_unwind_into_the_adding_thread(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "quick", |n: u8| n, 1);
    future.exception(case.event_timeout()).expect("it is done in time");
    future.add_done_callback(|_| panic!("a callback of the conformance suite panics on purpose"));
    assert_eq!(case.value(&future), 1);
}

pub(super) fn a_callback_may_add_another(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(1));
    let (sender, receiver) = mpsc::channel();
    future.add_done_callback(move |future| {
        let inner = sender.clone();
        future.add_done_callback(move |_| {
            let _ = inner.send("inner");
        });
        let _ = sender.send("outer");
    });
    gate.open();
    let calls: Vec<_> = (0..2).map(|_| receiver.recv_timeout(case.event_timeout()).expect("both are called")).collect();
    assert_eq!(calls, ["inner", "outer"]);
}

pub(super) fn a_callback_may_use_the_executor(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    let address = guard.address();
    let future = case.submit(&executor, "first", |n: u64| n, 1);
    let (sender, receiver) = mpsc::channel();
    future.add_done_callback(move |future| {
        // The only worker runs this callback, so the new task waits in the queue.
        let next = address.executor().submit(|n: u64| n + 1, future.result(None).expect("it succeeds"));
        let _ = sender.send(next);
    });
    let next = receiver.recv_timeout(case.event_timeout()).expect("the callback is called").expect("it is open");
    assert_eq!(case.value(&case.track("from the callback", next)), 2);
}

pub(super) fn a_callback_may_shut_the_executor_down(case: &Case) {
    let executor = case.executor(2);
    let guard = executor.address_guard();
    let address = guard.address();
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(1));
    let (sender, receiver) = mpsc::channel();
    future.add_done_callback(move |_| {
        address.executor().shutdown(Shutdown::Drain);
        let _ = sender.send(());
    });
    gate.open();
    receiver.recv_timeout(case.event_timeout()).expect("a shutdown that a worker calls returns");
    let refused = executor.submit(|n: u8| n, 1).expect_err("it was shut down");
    assert_eq!(refused.kind(), ErrorKind::ShutDown);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(case.value(&future), 1);
}

pub(super) fn cancelling_from_a_callback_of_the_same_executor_works(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let first = case.submit(&executor, "first", Ticket::pass, gate.ticket(1));
    let second = case.submit(&executor, "second", Ticket::report, gate.ticket(2)).into_future();
    gate.wait_arrivals(1);
    let (sender, receiver) = mpsc::channel();
    first.add_done_callback(move |_| {
        let cancelled = second.cancel();
        let _ = sender.send((cancelled, second));
    });
    gate.open();
    let (cancelled, second) = receiver.recv_timeout(case.event_timeout()).expect("the callback is called");
    // In another process, the second may start before the first completes here.
    assert_eq!(second.result(case.event_timeout()).is_err(), cancelled);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels().contains(&2), !cancelled);
}

pub(super) fn a_result_callback_sees_the_value_before_its_readers_and_leaves_it(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(5));
    let seen = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..2 {
        let recorded = seen.clone();
        future.add_result_callback(move |result| {
            recorded.lock().expect("no panic while it is locked").push(*result.expect("the task succeeds"));
        });
    }
    gate.open();
    assert_eq!(case.value(&future), 5);
    assert_eq!(*seen.lock().expect("no panic while it is locked"), [5, 5]);
}

pub(super) fn a_result_callback_sees_the_error_or_the_cancel(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("blocker");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let failed = case.submit(&executor, "fails", |n: u64| 100 / n, 0);
    let cancelled = case.submit(&executor, "cancelled", |n: u64| 100 / n, 1);
    let (sender, receiver) = mpsc::channel();
    for future in [&cancelled, &failed] {
        let sender = sender.clone();
        future.add_result_callback(move |result| {
            let _ = sender.send(result.map_err(executor_core::Error::kind).copied());
        });
    }
    assert!(cancelled.cancel());
    gate.open();
    let seen = [(); 2].map(|()| receiver.recv_timeout(case.event_timeout()).expect("both are called"));
    assert_eq!(seen, [Err(ErrorKind::Cancelled), Err(ErrorKind::Panicked)]);
    assert_eq!(case.failure(&failed).kind(), ErrorKind::Panicked);
    case.value(&blocker);
}

pub(super) fn a_late_result_callback_is_called_immediately_by_the_adding_thread(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "quick", |n: u64| n, 7);
    future.exception(case.event_timeout()).expect("it is done in time");
    let adder = thread::current().id();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorded = seen.clone();
    future.add_result_callback(move |result| {
        let here = thread::current().id() == adder;
        recorded.lock().expect("no panic while it is locked").push((here, result.copied().ok()));
    });
    assert_eq!(*seen.lock().expect("no panic while it is locked"), [(true, Some(7))]);
    assert_eq!(case.value(&future), 7);
}

pub(super) fn the_callbacks_of_a_shared_future_see_the_value_early_and_late(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let shared = case.submit(&executor, "held", Ticket::pass, gate.ticket(5)).into_future().shared();
    let (sender, receiver) = mpsc::channel();
    let add = || {
        let (of_result, of_done) = (sender.clone(), sender.clone());
        shared.add_result_callback(move |result| {
            let _ = of_result.send(*result.expect("the task succeeds"));
        });
        shared.add_done_callback(move |shared| {
            let _ = of_done.send(shared.result(None).expect("the task succeeds"));
        });
    };
    add();
    gate.open();
    assert_eq!(shared.result(case.event_timeout()).expect("the task succeeds"), 5);
    add();
    let seen = [(); 4].map(|()| receiver.recv_timeout(case.event_timeout()).expect("all four are called"));
    assert_eq!(seen, [5; 4]);
}
