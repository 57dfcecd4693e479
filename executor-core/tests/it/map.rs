//! `map`: order, chunks, bounds, time-outs, and inputs that panic or report a wrong length.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use executor_core::{Backend, Error, ErrorKind, Executor, InlineExecutor, Map, MapOptions, Shutdown};

use crate::support::{Manual, NO_WAIT, panics};

/// Wraps an input so that it counts how many items were read.
fn counted<I: Iterator>(input: I) -> (impl Iterator<Item = I::Item> + use<I>, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = read.clone();
    let count = move |_: &I::Item| {
        counter.fetch_add(1, SeqCst);
    };
    (input.inspect(count), read)
}

fn values<R: executor_core::Payload>(map: Map<R>) -> Vec<R> {
    map.collect::<Result<_, Error>>().expect("no item fails")
}

#[test]
fn results_have_the_order_of_the_inputs_for_every_chunksize() {
    let expected: Vec<u64> = (0..100).map(|n| n * n).collect();
    for chunksize in [1, 2, 7, 64, 100, 101, usize::MAX] {
        let options = MapOptions::new().chunksize(chunksize);
        let map = InlineExecutor::new().map_with(options, |n: u64| n * n, 0..100u64).expect("accepted");
        assert_eq!(values(map), expected, "chunksize {chunksize}");
    }
    assert_eq!(values(InlineExecutor::new().map(|n: u64| n * n, 0..100u64).expect("accepted")), expected);
}

#[test]
fn everything_is_submitted_at_the_call() {
    let manual = Manual::new();
    let (input, read) = counted(0..10u64);
    let map = manual.map_with(MapOptions::new().chunksize(3), |n: u64| n, input).expect("accepted");
    assert_eq!((read.load(SeqCst), manual.len()), (10, 4));
    manual.run_all();
    assert_eq!(values(map), (0..10).collect::<Vec<_>>());
}

#[test]
fn an_item_that_fails_ends_neither_the_map_nor_its_chunk() {
    for chunksize in [1, 4] {
        let options = MapOptions::new().chunksize(chunksize);
        let odd = |n: u64| if n % 2 == 0 { panic!("even") } else { n };
        let map = InlineExecutor::new().map_with(options, odd, 0..8u64).expect("accepted");
        let results: Vec<Result<u64, ErrorKind>> = map.map(|item| item.map_err(|error| error.kind())).collect();
        let expected: Vec<_> = (0..8).map(|n| if n % 2 == 0 { Err(ErrorKind::Panicked) } else { Ok(n) }).collect();
        assert_eq!(results, expected);
    }
}

#[test]
fn options_that_are_zero_are_refused() {
    for options in [MapOptions::new().chunksize(0), MapOptions::new().buffersize(0)] {
        let refused = InlineExecutor::new().map_with(options, |n: u64| n, 0..3u64);
        assert_eq!(refused.expect_err("zero").kind(), ErrorKind::InvalidArgument);
    }
}

#[test]
fn a_buffersize_is_exact_even_for_an_infinite_input() {
    for (buffersize, chunksize) in [(1, 1), (5, 1), (5, 2), (4, 4), (3, 9), (5, usize::MAX)] {
        let options = MapOptions::new().buffersize(buffersize).chunksize(chunksize);
        let (input, read) = counted(0u64..);
        let executor = InlineExecutor::new();
        let mut map = executor.map_with(options, |n: u64| n, input).expect("accepted");
        assert_eq!(read.load(SeqCst), buffersize, "full at the call");
        for yielded in 0..40 {
            assert!(read.load(SeqCst) <= yielded + buffersize, "{buffersize} {chunksize} {yielded}");
            assert_eq!(map.next().expect("infinite").expect("a value"), yielded as u64);
        }
    }
}

#[test]
fn a_buffersize_larger_than_the_input_has_no_effect() {
    for buffersize in [11, usize::MAX] {
        for options in [MapOptions::new(), MapOptions::new().unordered()] {
            let map = InlineExecutor::new().map_with(options.buffersize(buffersize), |n: u64| n, 0..10u64);
            assert_eq!(values(map.expect("accepted")), (0..10).collect::<Vec<_>>());
        }
    }
}

#[test]
fn an_unordered_map_yields_results_in_the_order_of_completion() {
    let manual = Manual::new();
    let options = MapOptions::new().unordered().chunksize(1);
    let mut map = manual.map_with(options, |n: u64| n, 0..4u64).expect("accepted");
    let mut tasks: Vec<_> = (0..4).map(|_| Some(manual.take())).collect();
    let mut order = Vec::new();
    for index in [2, 0, 3, 1] {
        tasks[index].take().expect("once").run();
        order.push(map.next().expect("one is done").expect("a value"));
    }
    assert_eq!(order, [2, 0, 3, 1]);
    assert!(map.next().is_none());
}

#[test]
fn a_time_out_is_the_last_item_and_cancels_unstarted_items() {
    for options in [MapOptions::new(), MapOptions::new().unordered()] {
        let manual = Manual::new();
        let options = options.chunksize(1).timeout(NO_WAIT);
        let mut map = manual.map_with(options, |n: u64| n, 0..3u64).expect("accepted");
        manual.take().run();
        assert_eq!(map.next().expect("it was there in time").expect("a value"), 0);
        assert_eq!(map.next().expect("a time-out").expect_err("a time-out").kind(), ErrorKind::Timeout);
        assert!(map.next().is_none() && map.next().is_none());
        assert!(manual.take().is_done() && manual.take().is_done());
    }
}

#[test]
fn the_longest_time_out_never_expires() {
    let options = MapOptions::new().timeout(Duration::MAX);
    let map = InlineExecutor::new().map_with(options, |n: u64| n, 0..3u64).expect("accepted");
    assert_eq!(values(map), [0, 1, 2]);
}

#[test]
fn dropping_a_map_cancels_unstarted_items() {
    let manual = Manual::new();
    let map = manual.map_with(MapOptions::new().chunksize(2), |n: u64| n, 0..6u64).expect("accepted");
    let started = manual.take();
    assert!(started.begin());
    drop(map);
    assert!(!started.is_done());
    assert!(manual.take().is_done() && manual.take().is_done());
}

/// Returns an input that panics after this many items.
fn panics_after(items: u64) -> impl Iterator<Item = u64> {
    (0..).inspect(move |n| assert!(*n < items, "the input panics"))
}

#[test]
fn an_input_that_panics_at_the_call_cancels_the_submitted_items() {
    let manual = Manual::new();
    assert!(panics(|| drop(manual.map_with(MapOptions::new().chunksize(1), |n: u64| n, panics_after(3)))));
    assert_eq!(manual.len(), 3);
    assert!((0..3).all(|_| manual.take().is_done()));
}

#[test]
fn an_input_that_panics_later_loses_no_result_and_is_not_read_again() {
    for (chunksize, buffersize) in [(1, 2), (2, 2), (3, 4)] {
        let options = MapOptions::new().chunksize(chunksize).buffersize(buffersize);
        let executor = InlineExecutor::new();
        let mut map = executor.map_with(options, |n: u64| n, panics_after(5)).expect("accepted");
        let (mut results, mut panicked) = (Vec::new(), 0);
        loop {
            let mut item = None;
            if panics(|| item = Some(map.next())) {
                panicked += 1;
                continue;
            }
            match item.expect("it did not panic") {
                Some(result) => results.push(result.expect("a value")),
                None => break,
            }
        }
        assert_eq!((results, panicked), ((0..5).collect::<Vec<_>>(), 1), "{chunksize} {buffersize}");
    }
}

#[test]
fn a_shutdown_during_a_bounded_map_is_its_last_result() {
    for unordered in [false, true] {
        let executor = InlineExecutor::new();
        let options = MapOptions::new().buffersize(2);
        let options = if unordered { options.unordered() } else { options };
        let mut map = executor.map_with(options, |n: u64| n, 0..9u64).expect("accepted");
        if unordered {
            drop(executor);
        } else {
            executor.shutdown(Shutdown::Drain);
        }
        let results: Vec<_> = map.by_ref().map(|item| item.map_err(|error| error.kind())).collect();
        assert_eq!(results, [Ok(0), Ok(1), Err(ErrorKind::ShutDown)]);
        assert!(map.next().is_none());
    }
}

/// Accepts this many tasks, and refuses the rest with an error of this kind.
struct Refusing(AtomicUsize, ErrorKind);

impl Backend for Refusing {
    fn schedule(&self, task: executor_core::Task) -> Result<(), Error> {
        if self.0.fetch_sub(1, SeqCst) == 0 {
            self.0.store(0, SeqCst);
            return Err(Error::new(self.1, "refused"));
        }
        task.run();
        Ok(())
    }
    fn close(&self, _: Shutdown) {}
    fn join(&self, _: Option<Duration>) -> bool {
        true
    }
    fn max_workers(&self) -> usize {
        usize::MAX
    }
}

#[test]
fn items_that_a_back_end_refuses_are_errors_at_their_positions() {
    let back_end = Refusing(AtomicUsize::new(1), ErrorKind::Encode);
    let map = back_end.map_with(MapOptions::new().chunksize(3), |n: u64| n, 0..6u64).expect("the rest is accepted");
    let results: Vec<_> = map.map(|item| item.map_err(|error| error.kind())).collect();
    let refused = Err(ErrorKind::Encode);
    assert_eq!(results, [Ok(0), Ok(1), Ok(2), refused, refused, refused]);
}

#[test]
fn a_back_end_that_refuses_everything_fails_the_map() {
    let back_end = Refusing(AtomicUsize::new(1), ErrorKind::Broken);
    let refused = back_end.map_with(MapOptions::new().chunksize(3), |n: u64| n, 0..6u64);
    assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Broken);
}

#[test]
fn a_buffersize_needs_a_back_end_that_can_submit_later() {
    let back_end = Refusing(AtomicUsize::new(9), ErrorKind::Broken);
    let refused = back_end.map_with(MapOptions::new().buffersize(3), |n: u64| n, 0..6u64);
    assert_eq!(refused.expect_err("no handle").kind(), ErrorKind::InvalidArgument);
}

#[test]
fn an_input_with_a_wrong_size_hint_is_read_to_its_end() {
    struct WrongHint(u64, usize);
    impl Iterator for WrongHint {
        type Item = u64;
        fn next(&mut self) -> Option<u64> {
            self.0 = self.0.checked_sub(1)?;
            Some(self.0)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.1, None)
        }
    }
    for claimed in [0, 1, 1000, usize::MAX] {
        for options in [MapOptions::new(), MapOptions::new().chunksize(usize::MAX)] {
            let map = InlineExecutor::new().map_with(options, |n: u64| n, WrongHint(5, claimed)).expect("accepted");
            assert_eq!(values(map), [4, 3, 2, 1, 0]);
        }
    }
}
