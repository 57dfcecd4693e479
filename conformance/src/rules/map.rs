//! Rules of `map`: results have the order of the inputs, the input is read lazily with a buffer, and cancelled items
//! never run.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use executor_core::{Error, ErrorKind, Executor, Map, MapOptions, Payload, Shutdown};
use serde::{Deserialize, Serialize};

use super::awaited::{CountingWaker, block_on, poll};
use crate::{Case, Counter, Probe, Ticket};

/// Returns all values. Fails if an item is an error.
fn values<R: Payload>(map: Map<R>) -> Vec<R> {
    map.map(|item| item.unwrap_or_else(|error| panic!("an item that should succeed did not: {error}"))).collect()
}

fn square(n: u64) -> u64 {
    n * n
}

fn squares(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.map(square).collect()
}

pub(super) fn cf_025_results_come_in_the_order_of_the_inputs(case: &Case) {
    let executor = case.executor(3);
    assert_eq!(values(executor.map(square, 0..1000).expect("it is open")), squares(0..1000));
    let bases = [2u64, 3, 4].into_iter().zip([1u32, 2, 3]);
    assert_eq!(
        values(executor.map(|(base, power): (u64, u32)| base.pow(power), bases).expect("it is open")),
        [2, 9, 64]
    );
}

pub(super) fn the_order_does_not_depend_on_which_item_is_done_first(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("items");
    let options = MapOptions::new().chunksize(1);
    let mut map = executor.map_with(options, Ticket::pass, [gate.ticket(0), gate.ticket(1)]).expect("it is open");
    gate.wait_arrivals(2);
    gate.release(1);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || map.by_ref().collect::<Result<Vec<_>, _>>());
        gate.open();
        assert_eq!(reader.join().expect("it does not panic").expect("both succeed"), [0, 1]);
    });
}

pub(super) fn cf_036_an_empty_input_gives_an_empty_map(case: &Case) {
    let executor = case.executor(1);
    let mut maps = vec![executor.map(square, []).expect("it is open")];
    maps.push(executor.map_with(MapOptions::new().chunksize(3), square, []).expect("it is open"));
    maps.push(executor.map_with(MapOptions::new().unordered(), square, []).expect("it is open"));
    if case.can().has_handle {
        maps.push(executor.map_with(MapOptions::new().buffersize(2), square, []).expect("it is open"));
    }
    for mut map in maps {
        assert!(map.next().is_none());
        assert!(map.next().is_none());
    }
}

pub(super) fn cf_054_the_chunk_size_does_not_change_the_results(case: &Case) {
    let executor = case.executor(2);
    for chunksize in [1, 3, 6, 40, 50, usize::MAX] {
        let map = executor.map_with(MapOptions::new().chunksize(chunksize), square, 0..40).expect("it is open");
        assert_eq!(values(map), squares(0..40), "chunks of {chunksize}");
    }
}

pub(super) fn cf_031_cf_054_a_chunk_or_buffer_size_of_zero_is_refused(case: &Case) {
    let executor = case.executor(1);
    for options in [MapOptions::new().chunksize(0), MapOptions::new().buffersize(0)] {
        let refused = executor.map_with(options, square, 0..3).expect_err("zero is no size");
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
}

pub(super) fn cf_026_an_item_that_fails_does_not_end_the_map(case: &Case) {
    let executor = case.executor(2);
    for chunksize in [1, 3, 10] {
        let options = MapOptions::new().chunksize(chunksize);
        let mut map = executor.map_with(options, |n: u64| 100 / n, [2, 1, 0, 4, 0, 5]).expect("it is open");
        let seen: Vec<_> = map.by_ref().map(|item| item.map_err(|error| error.kind())).collect();
        let fails = Err(ErrorKind::Panicked);
        assert_eq!(seen, [Ok(50), Ok(100), fails, Ok(25), fails, Ok(20)], "chunks of {chunksize}");
        assert!(map.next().is_none());
    }
}

fn divide(n: u64) -> Result<u64, String> {
    100u64.checked_div(n).ok_or_else(|| "timed out, by the task itself".to_string())
}

pub(super) fn cf_027_an_error_of_the_function_is_not_a_time_out_of_the_map(case: &Case) {
    let executor = case.executor(1);
    for options in [MapOptions::new(), MapOptions::new().timeout(case.event_timeout())] {
        let map = executor.map_with(options, divide, [1, 0, 2]).expect("it is open");
        let seen = values(map);
        assert_eq!((seen.len(), &seen[0], seen[1].is_err(), &seen[2]), (3, &Ok(100), true, &Ok(50)));
    }
}

pub(super) fn cf_028_a_map_that_times_out_yields_one_error_and_ends(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("items");
    gate.ticket(9).report();
    // Items 0 and 1 only report, item 2 is held.
    let inputs: Vec<_> = (0..4).map(|label| (gate.ticket(label), label >= 2)).collect();
    let options = MapOptions::new().chunksize(1).timeout(Duration::from_millis(30));
    let call = |(ticket, held): (Ticket, bool)| if held { ticket.pass() } else { ticket.report() };
    let mut map = executor.map_with(options, call, inputs).expect("it is open");
    let mut expected = 0;
    let error = loop {
        match map.next().expect("it does not end before it times out") {
            Ok(label) => {
                assert_eq!(label, expected);
                expected += 1;
            }
            Err(error) => break error,
        }
    };
    assert!(expected <= 2);
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(map.next().is_none());
    assert!(map.next().is_none());
    gate.open();
    executor.shutdown(Shutdown::Drain);
    assert!(!gate.labels().contains(&3), "the item after the held one ran after the time-out");
}

pub(super) fn cf_050_a_map_that_timed_out_runs_nothing_more(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("items");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let options = MapOptions::new().timeout(Duration::ZERO);
    let mut map = executor.map_with(options, Ticket::report, [gate.ticket(1), gate.ticket(2)]).expect("it is open");
    assert_eq!(map.next().expect("a time-out").expect_err("the worker is held").kind(), ErrorKind::Timeout);
    assert!(map.next().is_none());
    gate.open();
    case.value(&blocker);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0]);
}

pub(super) fn the_longest_time_out_of_a_map_works(case: &Case) {
    let executor = case.executor(1);
    let map = executor.map_with(MapOptions::new().timeout(Duration::MAX), square, 0..3).expect("it is open");
    assert_eq!(values(map), squares(0..3));
}

pub(super) fn cf_029_dropping_a_map_cancels_what_has_not_started(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("items");
    for (round, chunksize) in (0..).zip([1, 2]) {
        let inputs: Vec<_> = (round * 10..round * 10 + 6).map(|label| gate.ticket(label)).collect();
        let options = MapOptions::new().chunksize(chunksize);
        let mut map = executor.map_with(options, Ticket::pass, inputs).expect("it is open");
        gate.wait_for_label(round * 10);
        gate.release(round * 10);
        if chunksize == 1 {
            assert_eq!(map.next().expect("there are six").expect("it succeeds"), round * 10);
        }
        gate.wait_for_label(round * 10 + 1);
        drop(map);
        gate.release(round * 10 + 1);
        assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
    }
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0, 1, 10, 11]);
}

pub(super) fn dropping_a_map_that_was_never_read_cancels_it(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("items");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let inputs: Vec<_> = (1..6).map(|label| gate.ticket(label)).collect();
    drop(executor.map(Ticket::report, inputs).expect("it is open"));
    gate.open();
    case.value(&blocker);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0]);
}

pub(super) fn cf_044_a_map_that_is_not_read_runs_to_its_end(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("items");
    let inputs: Vec<_> = (0..10).map(|label| gate.ticket(label)).collect();
    let map = executor.map(Ticket::report, inputs).expect("it is open");
    executor.shutdown(Shutdown::Drain);
    let mut labels = gate.labels();
    labels.sort_unstable();
    assert_eq!(labels, (0..10).collect::<Vec<_>>());
    assert_eq!(values(map), labels);
}

pub(super) fn cf_039_shutdown_does_not_wait_for_the_reader_of_a_map(case: &Case) {
    for _ in 0..5 {
        let executor = case.executor(2);
        let map = executor.map(square, 0..3).expect("it is open");
        executor.shutdown(Shutdown::Drain);
        assert_eq!(values(map), squares(0..3));
    }
}

pub(super) fn cf_032_cf_033_the_buffer_size_does_not_change_the_results(case: &Case) {
    let executor = case.executor(2);
    for buffersize in [1, 2, 10, 20] {
        let options = || MapOptions::new().buffersize(buffersize);
        assert_eq!(values(executor.map_with(options(), square, 0..10).expect("it is open")), squares(0..10));
        let pairs = (0..10u64).zip(10..20u64);
        let sums = values(executor.map_with(options(), |(a, b): (u64, u64)| a + b, pairs).expect("it is open"));
        assert_eq!(sums, (0..10).map(|n| 2 * n + 10).collect::<Vec<_>>());
        let chunked = executor.map_with(options().chunksize(3), square, 0..10).expect("it is open");
        assert_eq!(values(chunked), squares(0..10));
    }
}

pub(super) fn cf_034_cf_035_an_infinite_input_is_read_only_as_far_as_needed(case: &Case) {
    let executor = case.executor(2);
    let options = || MapOptions::new().buffersize(2);
    let first: Vec<_> =
        executor.map_with(options(), square, 0..).expect("it is open").take(3).map(Result::unwrap).collect();
    assert_eq!(first, [0, 1, 4]);
    let pairs = (0u64..).zip(5u64..);
    let sums = executor.map_with(options(), |(a, b): (u64, u64)| a + b, pairs).expect("it is open");
    assert_eq!(sums.take(3).map(Result::unwrap).collect::<Vec<_>>(), [5, 7, 9]);
}

/// Returns an infinite input, and a counter of the numbers that were read from it.
fn counted() -> (Arc<AtomicUsize>, impl Iterator<Item = u64> + Send + 'static) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let input = (0..).inspect(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    (taken, input)
}

pub(super) fn cf_038_no_input_is_read_while_the_buffer_is_full(case: &Case) {
    for buffersize in [1, 3] {
        let executor = case.executor(2);
        let (taken, input) = counted();
        let map = executor.map_with(MapOptions::new().buffersize(buffersize), square, input).expect("it is open");
        assert_eq!(taken.load(Ordering::SeqCst), buffersize);
        executor.shutdown(Shutdown::Drain);
        assert_eq!(taken.load(Ordering::SeqCst), buffersize);
        drop(map);
    }
}

pub(super) fn a_buffer_is_never_exceeded(case: &Case) {
    let executor = case.executor(2);
    for chunksize in [1, 2, 7] {
        let (taken, input) = counted();
        let options = MapOptions::new().buffersize(4).chunksize(chunksize);
        let mut map = executor.map_with(options, square, input).expect("it is open");
        for read in 0..30 {
            let ahead = taken.load(Ordering::SeqCst) - read;
            assert!(ahead <= 4, "{ahead} items were read and not yielded, with chunks of {chunksize}");
            assert_eq!(map.next().expect("it is infinite").expect("it succeeds"), square(read as u64));
        }
    }
}

pub(super) fn a_buffered_map_ends_with_an_error_when_the_executor_is_shut_down(case: &Case) {
    let executor = case.executor(1);
    let mut map = executor.map_with(MapOptions::new().buffersize(2), square, 0..).expect("it is open");
    executor.shutdown(Shutdown::Drain);
    let mut seen = 0;
    let error = loop {
        match map.next().expect("the last item is the reason") {
            Ok(value) => {
                assert_eq!(value, square(seen));
                seen += 1;
            }
            Err(error) => break error,
        }
    };
    assert_eq!((seen, error.kind()), (2, ErrorKind::ShutDown));
    assert!(map.next().is_none());
}

pub(super) fn a_back_end_without_a_handle_refuses_buffers(case: &Case) {
    let executor = case.executor(1);
    if case.can().has_handle {
        assert!(executor.handle().is_some(), "the back-end declares a handle");
        return;
    }
    let refused = executor.map_with(MapOptions::new().buffersize(2), square, 0..3).expect_err("it has no handle");
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
}

pub(super) fn an_unordered_map_gives_every_result_once(case: &Case) {
    let executor = case.executor(2);
    for chunksize in [1, 7] {
        let options = MapOptions::new().unordered().chunksize(chunksize);
        let mut seen = values(executor.map_with(options, square, 0..50).expect("it is open"));
        seen.sort_unstable();
        assert_eq!(seen, squares(0..50));
    }
}

pub(super) fn an_unordered_map_does_not_wait_for_slow_items(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("items");
    let inputs: Vec<_> = (0..4).map(|label| (gate.ticket(label), label == 0)).collect();
    let options = MapOptions::new().unordered().chunksize(1);
    let call = |(ticket, held): (Ticket, bool)| if held { ticket.pass() } else { ticket.report() };
    let mut map = executor.map_with(options, call, inputs).expect("it is open");
    gate.wait_for_label(0);
    let mut early: Vec<_> = map.by_ref().take(3).map(|item| item.expect("it succeeds")).collect();
    early.sort_unstable();
    assert_eq!(early, [1, 2, 3]);
    gate.open();
    assert_eq!(values(map), [0]);
}

pub(super) fn an_input_that_panics_unwinds_into_the_caller_only(case: &Case) {
    let executor = case.executor(1);
    let input = (0..5u64).inspect(|n| assert!(*n < 3, "an input of the conformance suite panics on purpose"));
    let outcome = catch_unwind(AssertUnwindSafe(|| executor.map(square, input).map(drop)));
    assert!(!matches!(outcome, Ok(Ok(()))), "the map was created as if the input had not panicked");
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
}

pub(super) fn a_map_after_shutdown_is_refused(case: &Case) {
    let executor = case.executor(1);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(executor.map(square, 0..3).expect_err("it was shut down").kind(), ErrorKind::ShutDown);
}

pub(super) fn cf_042_a_map_keeps_no_result_that_it_has_yielded(case: &Case) {
    let executor = case.executor(1);
    let counter = Counter::new();
    let inputs: Vec<_> = (0..4).map(|_| counter.probe()).collect();
    let options = MapOptions::new().chunksize(1);
    let mut map = executor.map_with(options, |probe: Probe| probe, inputs).expect("it is open");
    for left in (0..4).rev() {
        drop(map.next().expect("there are four").expect("it succeeds"));
        counter.wait_alive(left, case.event_timeout());
    }
}

#[derive(Serialize, Deserialize)]
struct Item {
    crashes: bool,
    number: u64,
}

pub(super) fn an_item_that_crashes_does_not_affect_its_chunk(case: &Case) {
    let executor = case.executor(1);
    for chunksize in [1, 3, 6] {
        let inputs: Vec<_> = (0..6).map(|number| Item { crashes: number == 2, number }).collect();
        let call = |item: Item| if item.crashes { process::abort() } else { item.number };
        let map = executor.map_with(MapOptions::new().chunksize(chunksize), call, inputs).expect("it is open");
        let seen: Vec<_> = map.map(|item| item.map_err(|error| error.kind())).collect();
        let dies = Err(ErrorKind::WorkerDied);
        assert_eq!(seen, [Ok(0), Ok(1), dies, Ok(3), Ok(4), Ok(5)], "chunks of {chunksize}");
    }
}

pub(super) fn an_item_that_cannot_be_sent_fails_at_its_position(case: &Case) {
    use super::submit::Awkward;
    let executor = case.executor(1);
    for chunksize in [1, 4] {
        let inputs = [Awkward::Fine, Awkward::NotEncodable, Awkward::NotDecodable, Awkward::Fine];
        let map =
            executor.map_with(MapOptions::new().chunksize(chunksize), |_: Awkward| (), inputs).expect("it is open");
        let seen: Vec<_> = map.map(|item| item.map_err(|error| error.kind())).collect();
        assert_eq!(seen, [Ok(()), Err(ErrorKind::Encode), Err(ErrorKind::Decode), Ok(())], "chunks of {chunksize}");
    }
}

pub(super) fn a_map_as_a_future_has_all_results_in_order(case: &Case) {
    let executor = case.executor(2);
    for options in [MapOptions::new(), MapOptions::new().chunksize(1), MapOptions::new().chunksize(7)] {
        let map = executor.map_with(options, square, 0..50).expect("it is open");
        let future = case.track("map", map.into_future());
        let (sender, receiver) = std::sync::mpsc::channel();
        future.add_result_callback(move |all| {
            let _ = sender.send(all.map(Vec::len).ok());
        });
        assert_eq!(receiver.recv_timeout(case.event_timeout()), Ok(Some(50)));
        assert_eq!(case.value(&future), squares(0..50));
    }
}

pub(super) fn a_map_as_a_future_fails_with_the_error_of_an_item(case: &Case) {
    let executor = case.executor(2);
    for chunksize in [1, 3] {
        let options = MapOptions::new().chunksize(chunksize);
        let map = executor.map_with(options, |n: u64| 100 / n, [2, 1, 0, 4, 0, 5]).expect("it is open");
        let future = case.track("map", map.into_future());
        assert_eq!(case.failure(&future).kind(), ErrorKind::Panicked, "chunks of {chunksize}");
    }
}

pub(super) fn cancelling_a_map_as_a_future_cancels_what_has_not_started(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("items");
    let inputs: Vec<_> = (0..4).map(|label| gate.ticket(label)).collect();
    let map = executor.map_with(MapOptions::new().chunksize(1), Ticket::pass, inputs).expect("it is open");
    let future = case.track("map", map.into_future());
    gate.wait_for_label(0);
    assert!(future.cancel() && future.cancelled());
    gate.open();
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0]);
}

pub(super) fn a_time_out_for_the_next_result_leaves_it_in_the_map(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("items");
    let options = MapOptions::new().chunksize(1);
    let inputs = [gate.ticket(0), gate.ticket(1)];
    let mut map = executor.map_with(options, Ticket::pass, inputs).expect("it is open");
    gate.wait_for_label(0);
    for timeout in [Duration::ZERO, Duration::from_millis(5)] {
        let error = map.next_timeout(timeout).expect("an item").expect_err("the first item is held");
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
    gate.open();
    let rest: Vec<_> =
        std::iter::from_fn(|| map.next_timeout(case.event_timeout())).map(|item| item.expect("a value")).collect();
    assert_eq!(rest, [0, 1]);
}

/// Fails for multiples of five.
fn picky(n: u64) -> u64 {
    assert!(n % 5 != 0, "a multiple of five");
    n * 2
}

pub(super) fn an_error_of_a_map_has_the_number_and_the_name_of_its_item(case: &Case) {
    let executor = case.executor(2);
    for options in [MapOptions::new(), MapOptions::new().chunksize(1), MapOptions::new().chunksize(4).unordered()] {
        let options = options.name_by(|n: &u64| format!("number {n}"));
        let map = executor.map_with(options, picky, 100..112u64).expect("it is open");
        let mut errors: Vec<_> = map.filter_map(Result::err).collect();
        errors.sort_unstable_by_key(Error::item);
        assert_eq!(errors.iter().map(Error::item).collect::<Vec<_>>(), [Some(0), Some(5), Some(10)]);
        assert_eq!(errors[1].item_name(), Some("number 105"));
        assert!(errors[1].to_string().starts_with("item 5 (`number 105`): "), "{}", errors[1]);
    }
}

pub(super) fn each_input_is_given_back_beside_its_result(case: &Case) {
    let executor = case.executor(2);
    for options in [MapOptions::new(), MapOptions::new().chunksize(3).unordered()] {
        let pairs = executor.map_pairs_with(options, picky, 1..40u64).expect("it is open");
        let mut inputs = Vec::new();
        for (input, result) in pairs {
            assert_eq!(result.ok(), (input % 5 != 0).then_some(input * 2));
            inputs.push(input);
        }
        inputs.sort_unstable();
        assert!(inputs.into_iter().eq(1..40));
    }
}

pub(super) fn a_stream_of_a_map_yields_what_the_iterator_yields(case: &Case) {
    let executor = case.executor(2);
    for options in [MapOptions::new(), MapOptions::new().chunksize(4), MapOptions::new().unordered()] {
        let mut stream = executor.map_with(options, picky, 1..40u64).expect("it is open").into_stream();
        let mut values = block_on(case, async {
            let mut values = Vec::new();
            while let Some(result) = stream.next().await {
                values.push(result.unwrap_or(0));
            }
            values
        });
        values.retain(|value| *value > 0);
        values.sort_unstable();
        assert!(values.into_iter().eq((1..40).filter(|n| n % 5 != 0).map(|n| n * 2)));
    }
}

pub(super) fn a_stream_of_a_map_is_woken_for_each_result(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("held");
    let tickets = [gate.ticket(0), gate.ticket(1)];
    let map = executor.map_with(MapOptions::new().chunksize(1), Ticket::pass, tickets).expect("it is open");
    let mut stream = map.into_stream();
    gate.wait_arrivals(2);
    for label in 0..2 {
        let waker = CountingWaker::new();
        let mut next = std::pin::pin!(stream.next());
        assert!(poll(next.as_mut(), &waker).is_pending());
        gate.release(label);
        waker.wait(case);
        assert_eq!(block_on(case, next).expect("a result").expect("it succeeds"), label);
    }
    assert!(block_on(case, stream.next()).is_none());
}
