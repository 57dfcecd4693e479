//! `.await`, on a minimal runtime.

use std::{
    future::{Future as _, IntoFuture},
    pin::Pin,
    sync::{Arc, atomic::Ordering::SeqCst},
    task::{Context, Poll, Wake, Waker},
};

use executor_core::{Awaited, Backend, Error, ErrorKind, Executor, InlineExecutor, promise};

use crate::support::{Manual, Parked, Remote, action, block_on, concurrently};

fn poll(awaited: &mut Awaited<u64>, waker: &Arc<Parked>) -> Poll<Result<u64, Error>> {
    Pin::new(awaited).poll(&mut Context::from_waker(&Waker::from(waker.clone())))
}

#[test]
fn await_returns_what_result_returns() {
    async fn run(executor: &dyn Backend) -> Result<u64, Error> {
        executor.submit(|n: u64| n + 1, 1)?.await
    }
    assert_eq!(block_on(run(&InlineExecutor::new())).expect("a value"), 2);

    let (_promise, future) = promise::<u64>();
    future.cancel();
    assert_eq!(block_on(future).expect_err("cancelled").kind(), ErrorKind::Cancelled);
}

#[test]
fn await_sleeps_until_the_task_is_done() {
    for _ in 0..200 {
        let (promise, future) = promise::<u64>();
        let values = concurrently(vec![
            action(|| block_on(future).expect("a value")),
            action(|| promise.set_result(6).map(|()| 6).expect("pending")),
        ]);
        assert_eq!(values, [6, 6]);
    }
}

#[test]
fn only_the_waker_of_the_last_poll_is_woken_and_only_once() {
    let (promise, future) = promise::<u64>();
    let (first, second) = (Parked::this_thread(), Parked::this_thread());
    let mut awaited = future.into_future();
    assert!(poll(&mut awaited, &first).is_pending());
    assert!(poll(&mut awaited, &second).is_pending());
    assert!(poll(&mut awaited, &second).is_pending());
    assert_eq!(Arc::strong_count(&first), 1, "the waker of an earlier poll is not kept");
    promise.set_result(8).expect("pending");
    assert_eq!((first.wakes.load(SeqCst), second.wakes.load(SeqCst)), (0, 1));
    assert!(matches!(poll(&mut awaited, &second), Poll::Ready(Ok(8))));
}

#[test]
fn a_dropped_await_drops_its_waker_and_does_not_affect_the_task() {
    let (promise, future) = promise::<u64>();
    let waker = Parked::this_thread();
    let mut awaited = future.into_future();
    assert!(poll(&mut awaited, &waker).is_pending());
    assert_eq!(Arc::strong_count(&waker), 2);
    drop(awaited);
    assert_eq!(Arc::strong_count(&waker), 1);
    assert!(promise.set_running_or_notify_cancel(), "it was not cancelled");
    promise.set_result(1).expect("running");
    assert_eq!(waker.wakes.load(SeqCst), 0);
}

#[test]
fn a_poll_after_completion_is_an_error_and_not_a_panic() {
    let (promise, future) = promise::<u64>();
    promise.set_result(1).expect("pending");
    let mut awaited = future.into_future();
    let waker = Parked::this_thread();
    assert!(matches!(poll(&mut awaited, &waker), Poll::Ready(Ok(1))));
    match poll(&mut awaited, &waker) {
        Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::InvalidState),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_waker_that_panics_does_not_prevent_the_callbacks() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics is reported");
        }
    }
    let (promise, future) = promise::<u64>();
    let (seen, called) = std::sync::mpsc::channel();
    future.add_done_callback(move |_| seen.send(()).expect("the test receives"));
    let mut awaited = future.into_future();
    let bad = Waker::from(Arc::new(Bad));
    assert!(Pin::new(&mut awaited).poll(&mut Context::from_waker(&bad)).is_pending());
    promise.set_result(1).expect("pending");
    called.try_recv().expect("the callback ran after the waker");
}

#[test]
fn an_await_inside_a_task_runs_the_awaited_task_inline() {
    let manual = Manual::new();
    let future = manual.submit(|n: u64| n * 2, 4).expect("accepted");
    assert_eq!(manual.as_worker(|| block_on(future)).expect("run inline"), 8);
}

#[test]
fn await_decodes_a_reply() {
    let remote = Remote::default();
    let future = remote.submit(|n: u64| n * 2, 4).expect("accepted");
    remote.complete_all();
    assert_eq!(block_on(future).expect("a value"), 8);
}

#[test]
fn a_shared_future_can_be_awaited_many_times_by_value_and_by_reference() {
    let remote = Remote::default();
    let shared = remote.submit(|n: u64| vec![n; 3], 4).expect("accepted").shared();
    let mut first = shared.clone().into_future();
    let waker = Parked::this_thread();
    let mut poll = || Pin::new(&mut first).poll(&mut Context::from_waker(&Waker::from(waker.clone())));
    assert!(poll().is_pending());
    remote.complete_all();
    assert_eq!(waker.wakes.load(SeqCst), 1);
    for _ in 0..2 {
        assert!(matches!(poll(), Poll::Ready(Ok(value)) if value == [4; 3]));
    }
    assert_eq!(block_on(&shared).expect("a value"), [4; 3]);
    assert_eq!(block_on(async { (&shared).await }).expect("a value"), [4; 3]);
    assert_eq!(shared.result(None).expect("a value"), [4; 3]);
    assert_eq!(block_on(shared).expect("a value"), [4; 3]);
}

#[test]
fn several_awaits_of_one_shared_future_are_all_woken() {
    for _ in 0..200 {
        let (promise, future) = promise::<u64>();
        let shared = future.shared();
        let mut actions: Vec<_> = (0..3)
            .map(|_| {
                let shared = shared.clone();
                action(move || block_on(shared).expect("a value"))
            })
            .collect();
        let last = shared.clone();
        actions.push(action(move || block_on(&last).expect("a value")));
        actions.push(action(|| promise.set_result(6).map(|()| 6).expect("pending")));
        assert_eq!(concurrently(actions), [6; 5]);
        drop(shared);
    }
}

#[test]
fn an_await_of_a_shared_future_returns_what_result_returns() {
    let (failing, cancelled) = (promise::<u64>(), promise::<u64>());
    failing.0.set_exception(Error::new(ErrorKind::Other, "a reason")).expect("pending");
    assert_eq!(block_on(&failing.1.shared()).expect_err("failed").to_string(), "a reason");
    let shared = cancelled.1.shared();
    assert!(shared.cancel());
    assert_eq!(block_on(shared).expect_err("cancelled").kind(), ErrorKind::Cancelled);
    // Inside a task, on a task that no other thread would run.
    let manual = Manual::new();
    let shared = manual.submit(|n: u64| n * 2, 4).expect("accepted").shared();
    assert_eq!(manual.as_worker(|| block_on(&shared)).expect("a value"), 8);
}

#[test]
fn a_future_that_is_awaited_by_reference_can_be_cancelled_afterwards() {
    let (promise, mut future) = promise::<u64>();
    let waker = Parked::this_thread();
    assert!(poll(&mut (&future).into_future(), &waker).is_pending());
    assert!(poll(&mut (&mut future).into_future(), &waker).is_pending());
    assert!(future.cancel() && !promise.set_running_or_notify_cancel());
    let done = InlineExecutor::new().submit(|n: u64| n, 7).expect("accepted");
    assert_eq!(block_on(&done).expect("a value"), 7);
    assert_eq!(block_on(&done).expect_err("moved out").kind(), ErrorKind::InvalidState);
}
