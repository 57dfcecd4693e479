//! Rules of dropping: a dropped executor drains, futures outlive it, and no argument or result of a task leaks.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use executor_core::{ErrorKind, Executor, MapOptions, Shutdown};

use crate::{Address, Case, Counter, Probe, Ticket};

pub(super) fn cf_099_cf_100_cf_106_cf_107_dropping_an_executor_drains_it(case: &Case) {
    let executor = case.executor(2).bare();
    let gate = case.gate("ran");
    let futures: Vec<_> =
        (0..20).map(|label| executor.submit(Ticket::report, gate.ticket(label)).expect("it is open")).collect();
    drop(executor);
    for (label, future) in (0..).zip(&futures) {
        assert_eq!(future.result(Duration::ZERO).expect("it ran before the drop returned"), label);
    }
    assert_eq!(gate.arrivals().len(), 20);
}

pub(super) fn dropping_an_executor_waits_for_running_tasks(case: &Case) {
    let executor = case.executor(1).bare();
    let gate = case.gate("running");
    let future = executor.submit(Ticket::pass, gate.ticket(1)).expect("it is open");
    gate.wait_arrivals(1);
    let wait_inside_drop = executor.drop_watch();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let dropper = scope.spawn(|| {
            drop(executor);
            ended.store(true, Ordering::SeqCst);
        });
        wait_inside_drop(&|| ended.load(Ordering::SeqCst));
        assert!(!future.done());
        assert!(!ended.load(Ordering::SeqCst), "the drop of the executor returned although a task was running");
        gate.open();
        dropper.join().expect("it does not panic");
        assert_eq!(future.result(Duration::ZERO).expect("it ran before the drop returned"), 1);
    });
}

pub(super) fn an_executor_that_was_shut_down_may_be_dropped(case: &Case) {
    for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Terminate { grace: Duration::ZERO }] {
        for joined in [false, true] {
            let executor = case.executor(2).bare();
            let futures: Vec<_> = (0..10).map(|n| executor.submit(|n: u32| n, n).expect("it is open")).collect();
            executor.close(mode);
            if joined {
                executor.join(None);
            }
            drop(executor);
            assert!(futures.iter().all(|future| future.done()), "{mode:?}, joined: {joined}");
        }
    }
}

pub(super) fn futures_outlive_their_executor(case: &Case) {
    let executor = case.executor(1).bare();
    let succeeded = executor.submit(|n: u64| 100 / n, 5).expect("it is open");
    let failed = executor.submit(|n: u64| 100 / n, 0).expect("it is open");
    drop(executor);
    assert!(!succeeded.cancel());
    assert_eq!(succeeded.result(None).expect("it ran"), 20);
    assert_eq!(failed.result(None).expect_err("it panicked").kind(), ErrorKind::Panicked);
    failed.add_done_callback(|future| assert!(future.done()));
}

pub(super) fn cf_040_cf_057_an_argument_is_dropped_with_its_task(case: &Case) {
    let executor = case.executor(1);
    let counter = Counter::new();
    let future = case.submit(&executor, "takes it", drop::<Probe>, counter.probe());
    case.value(&future);
    assert_eq!(counter.alive(), 0);
    drop(case.submit(&executor, "discarded", drop::<Probe>, counter.probe()));
    case.value(&case.submit(&executor, "after", |n: u8| n, 1));
    assert_eq!(counter.alive(), 0, "the argument outlived its task");
}

pub(super) fn a_result_is_dropped_with_its_future(case: &Case) {
    let executor = case.executor(1);
    let counter = Counter::new();
    let future = case.submit(&executor, "held", |probe: Probe| probe, counter.probe());
    future.exception(case.event_timeout()).expect("it is done in time");
    let taken = case.submit(&executor, "taken", |probe: Probe| probe, counter.probe());
    drop(case.value(&taken));
    case.submit(&executor, "after", |n: u8| n, 1).exception(case.event_timeout()).expect("it is done in time");
    counter.wait_alive(1, case.event_timeout());
    assert_eq!(counter.alive(), 1);
    drop(future);
    counter.wait_alive(0, case.event_timeout());
}

pub(super) fn a_cancelled_task_keeps_no_argument(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("blocker");
    let counter = Counter::new();
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let future = case.submit(&executor, "cancelled", drop::<Probe>, counter.probe());
    assert!(future.cancel());
    assert_eq!(counter.alive(), 0, "the argument of the cancelled task still exists");
    gate.open();
    case.value(&blocker);
}

pub(super) fn a_refused_task_keeps_no_argument(case: &Case) {
    let executor = case.executor(1);
    executor.shutdown(Shutdown::Drain);
    let counter = Counter::new();
    assert!(executor.submit(drop::<Probe>, counter.probe()).is_err());
    assert_eq!(counter.alive(), 0);
}

pub(super) fn dropping_an_executor_inside_its_own_task_works(case: &Case) {
    let executor = case.executor(2).bare();
    let guard = executor.address_guard();
    let gate = case.gate("held");
    let drops_last = |(ticket, address): (Ticket, Address)| {
        let executor = address.executor();
        let label = ticket.pass();
        drop(executor);
        label
    };
    let future = executor.submit(drops_last, (gate.ticket(1), guard.address())).expect("it is open");
    let other = executor.submit(Ticket::pass, gate.ticket(2)).expect("it is open");
    gate.wait_arrivals(2);
    // The task has a reference to the executor, so this does not drop the back-end.
    drop(executor);
    gate.open();
    assert_eq!((case.value(&future), case.value(&other)), (1, 2));
}

pub(super) fn a_map_outlives_its_executor(case: &Case) {
    let executor = case.executor(2).bare();
    let map = executor.map(|n: u64| n * n, 0..20).expect("it is open");
    drop(executor);
    let seen: Result<Vec<_>, _> = map.collect();
    assert_eq!(seen.expect("all ran"), (0..20).map(|n| n * n).collect::<Vec<_>>());
}

pub(super) fn a_buffered_map_does_not_keep_its_executor_alive(case: &Case) {
    let executor = case.executor(2).bare();
    let map = executor.map_with(MapOptions::new().buffersize(3), |n: u64| n, 0..).expect("it is open");
    drop(executor);
    let seen: Vec<_> = map.map(|item| item.map_err(|error| error.kind())).collect();
    assert_eq!(seen, [Ok(0), Ok(1), Ok(2), Err(ErrorKind::ShutDown)]);
}
