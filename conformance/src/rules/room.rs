//! Rules of `submit_async`: it waits for room without blocking a thread, in turn, and may be dropped.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use executor_core::{Error, ErrorKind, Executor, Future, MapOptions, Shutdown, Submitting};

use super::{
    awaited::{CountingWaker, block_on, poll},
    submit::{Awkward, full_executor},
};
use crate::{Case, Setup, Ticket};

/// Polls a submit that must still wait.
fn poll_pending<B: executor_core::Backend + ?Sized>(
    submitting: Pin<&mut Submitting<'_, B, u32>>,
    waker: &Arc<CountingWaker>,
) {
    let polled: Poll<Result<Future<u32>, Error>> = poll(submitting, waker);
    assert!(polled.is_pending(), "`submit_async` was ready while the queue was full: {polled:?}");
}

pub(super) fn submit_async_is_ready_immediately_if_there_is_room(case: &Case) {
    let executor = case.executor(1);
    let mut submitting = pin!(executor.submit_async(|n: u64| n + 1, 1));
    let Poll::Ready(future) = poll(submitting.as_mut(), &CountingWaker::new()) else {
        panic!("`submit_async` waits although there is room")
    };
    let future = case.track("submitted", future.expect("it is open"));
    assert_eq!(case.value(&future), 2);
    executor.shutdown(Shutdown::Drain);
    let refused = block_on(case, executor.submit_async(|n: u64| n, 1)).expect_err("it was shut down");
    assert_eq!(refused.kind(), ErrorKind::ShutDown);
}

pub(super) fn submit_async_waits_while_the_queue_is_full_and_blocks_no_thread(case: &Case) {
    let (executor, gate, held) = full_executor(case);
    let waker = CountingWaker::new();
    let mut submitting = pin!(executor.submit_async(Ticket::report, gate.ticket(2)));
    for _ in 0..3 {
        poll_pending(submitting.as_mut(), &waker);
    }
    let refused = executor.try_submit(Ticket::report, gate.ticket(3)).expect_err("one is queued");
    assert_eq!((refused.kind(), waker.wakes()), (ErrorKind::QueueFull, 0));
    gate.open();
    waker.wait(case);
    let future = block_on(case, submitting).expect("the queue has space now");
    case.value(&case.track("waited for space", future));
    for future in &held {
        case.value(future);
    }
    assert_eq!(gate.labels(), [0, 1, 2]);
}

pub(super) fn submitters_get_room_in_the_order_in_which_they_came(case: &Case) {
    let (executor, gate, held) = full_executor(case);
    let wakers = [(); 2].map(|()| CountingWaker::new());
    let mut first = pin!(executor.submit_async(Ticket::report, gate.ticket(2)));
    let mut second = pin!(executor.submit_async(Ticket::report, gate.ticket(3)));
    poll_pending(first.as_mut(), &wakers[0]);
    poll_pending(second.as_mut(), &wakers[1]);
    gate.release(0);
    wakers[0].wait(case);
    // The room is that of the first one, although it was not polled since.
    poll_pending(second.as_mut(), &wakers[1]);
    let refused = executor.try_submit(Ticket::report, gate.ticket(4)).expect_err("others came before");
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    let first = case.track("first", block_on(case, first).expect("it has room"));
    poll_pending(second.as_mut(), &wakers[1]);
    gate.open();
    wakers[1].wait(case);
    let second = case.track("second", block_on(case, second).expect("it has room"));
    for future in held.iter().chain([&first, &second]) {
        case.value(future);
    }
    assert_eq!(gate.labels(), [0, 1, 2, 3]);
}

pub(super) fn a_dropped_submit_async_never_runs_and_leaves_its_room(case: &Case) {
    let (executor, gate, held) = full_executor(case);
    let wakers = [(); 3].map(|()| CountingWaker::new());
    let mut with_room = Box::pin(executor.submit_async(Ticket::report, gate.ticket(2)));
    let mut in_line = Box::pin(executor.submit_async(Ticket::report, gate.ticket(3)));
    let mut last = pin!(executor.submit_async(Ticket::report, gate.ticket(4)));
    poll_pending(with_room.as_mut(), &wakers[0]);
    poll_pending(in_line.as_mut(), &wakers[1]);
    poll_pending(last.as_mut(), &wakers[2]);
    drop(in_line);
    gate.release(0);
    wakers[0].wait(case);
    drop(with_room);
    wakers[2].wait(case);
    let last = case.track("last", block_on(case, last).expect("it has room"));
    gate.open();
    for future in held.iter().chain([&last]) {
        case.value(future);
    }
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0, 1, 4]);
    assert_eq!(wakers[1].wakes(), 0, "the waker of a dropped submit was woken");
}

pub(super) fn a_submit_async_that_waits_is_refused_at_shutdown(case: &Case) {
    let (executor, gate, held) = full_executor(case);
    let waker = CountingWaker::new();
    let mut submitting = pin!(executor.submit_async(Ticket::report, gate.ticket(2)));
    poll_pending(submitting.as_mut(), &waker);
    executor.close(Shutdown::Drain);
    waker.wait(case);
    assert!(!gate.is_open(), "it was refused only after there was space");
    assert_eq!(block_on(case, submitting).expect_err("it was closed").kind(), ErrorKind::ShutDown);
    gate.open();
    for future in &held {
        case.value(future);
    }
}

pub(super) fn a_blocked_submit_and_an_async_one_wait_in_one_line(case: &Case) {
    let (executor, gate, held) = full_executor(case);
    let waker = CountingWaker::new();
    let mut submitting = pin!(executor.submit_async(Ticket::report, gate.ticket(2)));
    poll_pending(submitting.as_mut(), &waker);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let submitter = scope.spawn(|| {
            let future = executor.submit(Ticket::report, gate.ticket(3));
            ended.store(true, Ordering::SeqCst);
            future
        });
        // If an assertion fails, the gate must be opened before the scope waits for the submitter.
        let opens = gate.open_on_drop();
        executor.wait_inside("schedule", || ended.load(Ordering::SeqCst));
        gate.release(0);
        waker.wait(case);
        assert!(!ended.load(Ordering::SeqCst), "a later submit was first");
        let first = block_on(case, submitting).expect("it has room");
        drop(opens);
        case.value(&case.track("first", first));
        case.value(&case.track("second", submitter.join().expect("it does not panic").expect("it has room")));
    });
    for future in &held {
        case.value(future);
    }
    assert_eq!(gate.labels(), [0, 1, 2, 3]);
}

pub(super) fn a_stream_of_a_buffered_map_waits_for_room_and_blocks_no_thread(case: &Case) {
    let executor = case.executor_with(&Setup::workers(1).queue_capacity(1));
    let gate = case.gate("full");
    let options = MapOptions::new().chunksize(1).buffersize(1);
    let items = [gate.ticket(0), gate.ticket(1)];
    let mut stream = executor.map_with(options, Ticket::report, items).expect("there is room").into_stream();
    assert_eq!(block_on(case, stream.next()).expect("the first item").expect("it succeeds"), 0);
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(2));
    gate.wait_for_label(2);
    let queued = case.submit(&executor, "queued", Ticket::report, gate.ticket(3));
    {
        let waker = CountingWaker::new();
        let mut next = pin!(stream.next());
        assert!(poll(next.as_mut(), &waker).is_pending());
        gate.open();
        waker.wait(case);
        assert_eq!(block_on(case, next).expect("the second item").expect("it succeeds"), 1);
    }
    assert!(block_on(case, stream.next()).is_none());
    case.value(&running);
    case.value(&queued);
    assert_eq!(gate.labels(), [0, 2, 3, 1]);
}

pub(super) fn a_submit_async_that_cannot_be_encoded_leaves_its_room(case: &Case) {
    let executor = case.executor_with(&Setup::workers(1).queue_capacity(1));
    for _ in 0..3 {
        let refused = block_on(case, executor.submit_async(|_: Awkward| (), Awkward::NotEncodable));
        assert_eq!(refused.expect_err("it cannot be encoded").kind(), ErrorKind::Encode);
    }
    let gate = case.gate("full");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let queued = executor.try_submit(Ticket::report, gate.ticket(1)).expect("the queue is empty");
    gate.open();
    case.value(&running);
    case.value(&case.track("queued", queued));
}
