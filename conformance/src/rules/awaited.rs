//! Rules of `.await`: it returns what `result` returns, on any runtime, without another thread.

use std::{
    future::IntoFuture,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Instant,
};

use executor_core::{Error, ErrorKind, Executor, Shutdown};

use crate::{Case, Ticket};

/// A waker that unparks the thread that created it, and counts its calls.
pub(super) struct CountingWaker {
    thread: Thread,
    wakes: AtomicUsize,
}

impl CountingWaker {
    pub(super) fn new() -> Arc<CountingWaker> {
        Arc::new(CountingWaker { thread: thread::current(), wakes: AtomicUsize::new(0) })
    }

    pub(super) fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }

    /// Waits until it was woken.
    pub(super) fn wait(&self, case: &Case) {
        let deadline = Instant::now() + case.event_timeout();
        while self.wakes() == 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the waker was not called in time");
            thread::park_timeout(left);
        }
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<CountingWaker>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// A minimal runtime, which polls on this thread and parks between polls.
pub(super) fn block_on<T>(case: &Case, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let deadline = Instant::now() + case.event_timeout();
    loop {
        let waker = CountingWaker::new();
        if let Poll::Ready(value) = poll(future.as_mut(), &waker) {
            return value;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the future was not ready in time");
        if waker.wakes() == 0 {
            thread::park_timeout(left);
        }
    }
}

pub(super) fn poll<T>(future: Pin<&mut impl Future<Output = T>>, waker: &Arc<CountingWaker>) -> Poll<T> {
    future.poll(&mut Context::from_waker(&Waker::from(waker.clone())))
}

pub(super) fn cf_153_await_returns_what_result_returns(case: &Case) {
    let executor = case.executor(1);
    let value = case.submit(&executor, "succeeds", |n: u64| 100 / n, 5).into_future();
    let error = case.submit(&executor, "fails", |n: u64| 100 / n, 0).into_future();
    block_on(case, async {
        assert_eq!(value.await.expect("it succeeds"), 20);
        assert_eq!(error.await.expect_err("it fails").kind(), ErrorKind::Panicked);
    });
}

pub(super) fn await_of_a_running_task_is_woken(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(3)).into_future();
    gate.wait_arrivals(1);
    let mut awaited = pin!(future.into_future());
    let waker = CountingWaker::new();
    assert!(poll(awaited.as_mut(), &waker).is_pending());
    assert_eq!(waker.wakes(), 0);
    gate.open();
    waker.wait(case);
    assert_eq!(block_on(case, awaited).expect("it succeeds"), 3);
}

pub(super) fn await_of_a_cancelled_task_is_an_error(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("blocker");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", |n: u8| n, 1).into_future();
    assert!(pending.cancel());
    assert_eq!(block_on(case, pending.into_future()).expect_err("it was cancelled").kind(), ErrorKind::Cancelled);
    gate.open();
    case.value(&blocker);
}

pub(super) fn the_waker_of_the_last_poll_is_woken(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(3)).into_future();
    gate.wait_arrivals(1);
    let mut awaited = pin!(future.into_future());
    let wakers = [CountingWaker::new(), CountingWaker::new(), CountingWaker::new()];
    for waker in &wakers {
        assert!(poll(awaited.as_mut(), waker).is_pending());
    }
    gate.open();
    wakers[2].wait(case);
    assert_eq!(block_on(case, awaited).expect("it succeeds"), 3);
}

pub(super) fn a_pending_await_does_not_delay_others(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("held");
    let held = case.submit(&executor, "held", Ticket::pass, gate.ticket(1)).into_future();
    gate.wait_arrivals(1);
    let others: Vec<_> =
        (2..10).map(|n| case.submit(&executor, "quick", |n: u32| n, n).into_future().into_future()).collect();
    let mut held = pin!(held.into_future());
    assert!(poll(held.as_mut(), &CountingWaker::new()).is_pending());
    let sum: u32 = block_on(case, async {
        let mut sum = 0;
        for other in others {
            sum += other.await?;
        }
        Ok::<_, Error>(sum)
    })
    .expect("all succeed");
    assert_eq!(sum, (2..10).sum());
    gate.open();
    assert_eq!(block_on(case, held).expect("it succeeds"), 1);
}

pub(super) fn cf_154_a_dropped_await_wakes_nothing_and_cancels_nothing(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(1)).into_future();
    gate.wait_arrivals(1);
    let waker = CountingWaker::new();
    {
        let mut awaited = Box::pin(future.into_future());
        assert!(poll(awaited.as_mut(), &waker).is_pending());
    }
    gate.open();
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(waker.wakes(), 0);
    assert_eq!(gate.labels(), [1]);
}

pub(super) fn await_ends_when_the_executor_is_shut_down(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("blocker");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", |n: u8| n, 1).into_future();
    let mut awaited = pin!(pending.into_future());
    let waker = CountingWaker::new();
    assert!(poll(awaited.as_mut(), &waker).is_pending());
    executor.close(Shutdown::CancelPending);
    waker.wait(case);
    assert_eq!(block_on(case, awaited).expect_err("it was cancelled").kind(), ErrorKind::Cancelled);
    gate.open();
    case.value(&blocker);
}
