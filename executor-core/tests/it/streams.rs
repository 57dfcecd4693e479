//! `map` and `as_completed` as streams.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    task::{Context, Poll, Waker},
};

use executor_core::{
    CompletedStream, Error, Executor, Future, InlineExecutor, MapOptions, MapStream, Promise, as_completed, promise,
};

use crate::support::{Manual, Parked, Remote, action, block_on, concurrently};

fn poll_map(stream: &mut MapStream<u64>, waker: &Arc<Parked>) -> Poll<Option<Result<u64, Error>>> {
    stream.poll_next(&mut Context::from_waker(&Waker::from(waker.clone())))
}

fn poll_completed(stream: &mut CompletedStream<u64>, waker: &Arc<Parked>) -> Poll<Option<Result<Future<u64>, Error>>> {
    stream.poll_next(&mut Context::from_waker(&Waker::from(waker.clone())))
}

fn collect(mut stream: MapStream<u64>) -> Vec<u64> {
    block_on(async move {
        let mut values = Vec::new();
        while let Some(value) = stream.next().await {
            values.push(value.expect("a value"));
        }
        values
    })
}

fn promises(count: usize) -> (Vec<Promise<u64>>, Vec<Future<u64>>) {
    (0..count).map(|_| promise()).unzip()
}

#[test]
fn a_stream_of_a_map_yields_what_the_iterator_yields() {
    let executor = InlineExecutor::new();
    for options in [
        MapOptions::new(),
        MapOptions::new().chunksize(3),
        MapOptions::new().buffersize(4).chunksize(3),
        MapOptions::new().buffersize(1),
        MapOptions::new().unordered(),
        MapOptions::new().unordered().buffersize(5).chunksize(2),
    ] {
        let map = executor.map_with(options, |n: u64| n + 1, 0..20u64).expect("accepted");
        assert!(collect(map.into_stream()).into_iter().eq(1..21));
    }
    let mut half_read = InlineExecutor::new().map(|n: u64| n, 0..20u64).expect("accepted");
    assert_eq!(half_read.by_ref().take(7).count(), 7);
    assert!(collect(half_read.into_stream()).into_iter().eq(7..20));
    let empty = InlineExecutor::new().map(|n: u64| n, Vec::<u64>::new()).expect("accepted");
    assert!(collect(empty.into_stream()).is_empty());
}

#[test]
fn an_ordered_stream_waits_for_the_first_and_an_unordered_one_for_any() {
    for (options, first, last) in
        [(MapOptions::new().chunksize(1), 1, 2), (MapOptions::new().chunksize(1).unordered(), 2, 1)]
    {
        let manual = Manual::new();
        let mut stream = manual.map_with(options, |n: u64| n, [1u64, 2]).expect("accepted").into_stream();
        let (one, two) = (manual.take(), manual.take());
        let waker = Parked::this_thread();
        assert!(poll_map(&mut stream, &waker).is_pending());
        two.run();
        assert_eq!(waker.wakes.load(SeqCst), usize::from(first == 2), "the stream is woken for what it waits for");
        if first == 1 {
            assert!(poll_map(&mut stream, &waker).is_pending());
            one.run();
            assert_eq!(waker.wakes.load(SeqCst), 1);
            assert!(matches!(poll_map(&mut stream, &waker), Poll::Ready(Some(Ok(value))) if value == first));
        } else {
            assert!(matches!(poll_map(&mut stream, &waker), Poll::Ready(Some(Ok(value))) if value == first));
            assert!(poll_map(&mut stream, &waker).is_pending());
            one.run();
            assert_eq!(waker.wakes.load(SeqCst), 2);
        }
        assert!(matches!(poll_map(&mut stream, &waker), Poll::Ready(Some(Ok(value))) if value == last));
        assert!(matches!(poll_map(&mut stream, &waker), Poll::Ready(None)));
    }
}

#[test]
fn a_dropped_stream_cancels_and_keeps_no_waker() {
    let manual = Manual::new();
    let mut stream =
        manual.map_with(MapOptions::new().chunksize(1), |n: u64| n, 0..3u64).expect("accepted").into_stream();
    let waker = Parked::this_thread();
    assert!(poll_map(&mut stream, &waker).is_pending());
    drop(stream);
    assert_eq!(Arc::strong_count(&waker), 1);
    assert!((0..3).all(|_| manual.take().is_done()));
}

#[test]
fn futures_are_yielded_in_the_order_of_completion() {
    let (promises, futures) = promises(4);
    promises[2].set_result(2).expect("pending");
    let mut completed = as_completed(futures, None);
    assert_eq!(completed.next().expect("one is done").expect("done").result(None).expect("a value"), 2);
    promises[3].set_result(3).expect("pending");
    let mut stream = completed.into_stream();
    let waker = Parked::this_thread();
    let mut next = || match poll_completed(&mut stream, &waker) {
        Poll::Ready(Some(future)) => Some(future.expect("done").result(None).expect("a value")),
        Poll::Ready(None) => None,
        Poll::Pending => Some(100),
    };
    assert_eq!((next(), next()), (Some(3), Some(100)));
    promises[1].set_result(1).expect("pending");
    promises[0].set_result(0).expect("pending");
    assert_eq!(waker.wakes.load(SeqCst), 1, "it was not polled in between");
    assert_eq!((next(), next(), next()), (Some(1), Some(0), None));
}

#[test]
fn a_dropped_stream_of_futures_cancels_nothing_and_keeps_no_waker() {
    let (promises, futures) = promises(2);
    let mut stream = as_completed(futures, None).into_stream();
    let waker = Parked::this_thread();
    assert!(poll_completed(&mut stream, &waker).is_pending());
    drop(stream);
    assert_eq!(Arc::strong_count(&waker), 1);
    assert!(promises.iter().all(Promise::set_running_or_notify_cancel));
}

#[test]
fn streams_inside_a_task_run_what_has_not_started() {
    let manual = Manual::new();
    let options = MapOptions::new().chunksize(2).unordered();
    let map = manual.map_with(options, |n: u64| n, 0..5u64).expect("accepted").into_stream();
    let sum: u64 = manual.as_worker(|| collect(map)).into_iter().sum();
    assert_eq!(sum, 10);
    let futures: Vec<_> = (0..3).map(|n| manual.submit(|n: u64| n, n).expect("accepted")).collect();
    let mut stream = as_completed(&futures, None).into_stream();
    let mut count = 0;
    manual.as_worker(|| {
        block_on(async {
            while let Some(future) = stream.next().await {
                assert!(future.expect("it runs inline").done());
                count += 1;
            }
        });
    });
    assert_eq!(count, 3);
}

#[test]
fn a_stream_sleeps_until_a_task_is_done() {
    for _ in 0..100 {
        let (promises, futures) = promises(2);
        let mut stream = as_completed(futures, None).into_stream();
        let sums = concurrently(vec![
            action(|| {
                block_on(async move {
                    let mut sum = 0;
                    while let Some(future) = stream.next().await {
                        sum += future.expect("done").result(None).expect("a value");
                    }
                    sum
                })
            }),
            action(|| promises[0].set_result(1).map(|()| 1).expect("pending")),
            action(|| promises[1].set_result(2).map(|()| 2).expect("pending")),
        ]);
        assert_eq!(sums, [3, 1, 2]);
    }
}

#[test]
fn a_stream_decodes_replies() {
    let remote = Remote::default();
    let map = remote.map_with(MapOptions::new().chunksize(2), |n: u64| n * 2, 1..6u64).expect("accepted");
    let stream = map.into_stream();
    remote.complete_all();
    assert_eq!(collect(stream), [2, 4, 6, 8, 10]);
}
