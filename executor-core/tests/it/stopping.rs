//! Guards that stop their task, and tokens that stop several.

use std::{
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use executor_core::{
    CancellationToken, ErrorKind, Executor, Future, InlineExecutor, ReturnWhen, StopOnDrop, Task, TaskOptions, promise,
    task, wait,
};

use crate::support::{Journal, Manual, Parked, action, block_on, concurrently, kind};

#[test]
fn a_dropped_guard_cancels_a_task_that_has_not_started() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || 1);
    drop(future.cancel_on_drop());
    assert!(task.is_done());
    let manual = Manual::new();
    drop(manual.submit(|n: u64| n, 1).expect("accepted").terminate_on_drop(Duration::ZERO));
    assert!(manual.take().is_done());
}

#[test]
fn a_dropped_guard_asks_a_running_task_to_stop() {
    type Guard = fn(Future<bool>) -> StopOnDrop<bool>;
    let guards: [Guard; 2] = [Future::cancel_on_drop, |future| future.terminate_on_drop(Duration::ZERO)];
    for guard in guards {
        let is_asked = || task::current().expect("a task").is_cancelled();
        let (task, future) = Task::from_closure(TaskOptions::new(), is_asked);
        let started = task.start().expect("it is queued");
        let journal = Journal::new();
        let seen = journal.clone();
        future.add_done_callback(move |future| seen.add(future.result(None).expect("a value")));
        drop(guard(future));
        drop(started.run());
        assert_eq!(journal.entries(), [true]);
    }
}

#[test]
fn a_guard_can_be_awaited_by_value_and_by_reference_and_waited_for() {
    let submit = || InlineExecutor::new().submit(|n: u64| n + 1, 1).expect("accepted").cancel_on_drop();
    assert_eq!(block_on(submit()).expect("a value"), 2);
    assert_eq!(block_on(&mut submit()).expect("a value"), 2);
    let waited = wait([submit(), submit()], None, ReturnWhen::AllCompleted);
    assert_eq!(waited.done.iter().map(|guard| guard.result(None).expect("a value")).sum::<u64>(), 4);

    // A wait that ends early keeps the task, until the guard itself is dropped.
    let (promise, future) = promise::<u64>();
    let mut guard = future.cancel_on_drop();
    let waker = Waker::from(Parked::this_thread());
    assert!(Pin::new(&mut guard).poll(&mut Context::from_waker(&waker)).is_pending());
    promise.set_result(5).expect("pending");
    assert!(matches!(Pin::new(&mut guard).poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(5))));
}

#[test]
fn a_guard_of_a_done_task_changes_nothing() {
    let guard = InlineExecutor::new().submit(|n: u64| n + 1, 1).expect("accepted").cancel_on_drop();
    let future = guard.keep();
    assert!(future.done() && !future.cancelled());
    drop(future.terminate_on_drop(Duration::ZERO));
}

#[test]
fn a_guard_that_is_dropped_runs_the_callbacks() {
    let (promise, future) = promise::<u64>();
    let (seen, called) = std::sync::mpsc::channel();
    future.add_done_callback(move |future| seen.send(kind(future)).expect("the test receives"));
    drop(future.cancel_on_drop());
    assert_eq!(called.try_recv().expect("it was called"), ErrorKind::Cancelled);
    drop(promise);
}

#[test]
fn a_guard_shows_its_task() {
    let (_promise, future) = promise::<u64>();
    let shown = format!("{:?}", Arc::new(future.cancel_on_drop()));
    assert!(shown.contains("StopOnDrop") && shown.contains("pending"), "{shown}");
}

#[test]
fn a_token_stops_the_tasks_that_are_attached_before_and_after_it_is_cancelled() {
    let token = CancellationToken::new();
    let looks = token.clone();
    let (running, of_running) = Task::from_closure(TaskOptions::new(), move || {
        (task::current().expect("a task").is_cancelled(), looks.is_cancelled())
    });
    let running = running.start().expect("it is queued");
    let manual = Manual::new();
    let submit = || manual.submit(|n: u64| n, 1).expect("accepted");
    let (queued, other, late) = (submit(), submit(), submit().shared());
    token.attach(&of_running);
    token.attach(&queued);
    token.cancel();
    assert!(queued.cancelled() && !other.cancelled() && !late.cancelled());
    token.attach(&late);
    assert!(late.cancelled());
    drop(running.run());
    assert_eq!(of_running.result(None).expect("a value"), (true, true));
    manual.run_all();
    assert_eq!(other.result(None).expect("a value"), 1);
    token.cancel();
}

#[test]
fn a_token_keeps_no_task_that_is_done_and_stops_none_when_it_is_dropped() {
    let token = CancellationToken::new();
    let manual = Manual::new();
    let futures: Vec<_> = (0..3).map(|n| manual.submit(|n: u64| n, n).expect("accepted")).collect();
    futures.iter().for_each(|future| token.attach(future));
    assert!(format!("{token:?}").contains("tasks: 3"), "{token:?}");
    manual.take().run();
    assert!(futures[1].cancel());
    assert!(format!("{token:?}").contains("tasks: 1"), "{token:?}");
    token.attach(&futures[0]);
    assert!(format!("{token:?}").contains("tasks: 1"), "{token:?}");
    drop(token);
    manual.run_all();
    assert_eq!(futures[2].result(None).expect("a value"), 2);
}

#[test]
fn a_token_that_is_cancelled_while_tasks_are_attached_stops_all_of_them() {
    for _ in 0..200 {
        let (token, manual) = (CancellationToken::new(), Manual::new());
        let futures: Vec<_> = (0..4).map(|n| manual.submit(|n: u64| n, n).expect("accepted")).collect();
        concurrently(vec![
            action(|| futures.iter().for_each(|future| token.attach(future))),
            action(|| token.cancel()),
            action(|| drop(manual.take().run_quietly())),
        ]);
        assert!(futures[1..].iter().all(Future::cancelled) && futures[0].done());
    }
}
