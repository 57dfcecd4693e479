//! The order in which tasks are given to workers, and how many tasks each worker is given.

use executor_core::function::{batch, outcome};

use super::*;

#[test]
fn a_task_goes_to_the_worker_with_the_fewest_tasks() {
    let mut bench = Bench::new(&[4, 4]);
    bench.submit_many(10);
    assert_eq!((bench.has(0), bench.has(1)), (vec![1, 3, 5, 7], vec![2, 4, 6, 8]));
    assert_eq!(bench.waiting(), [9, 10]);
}

#[test]
fn a_deep_worker_is_given_several_tasks_in_a_row_when_none_is_idle() {
    let mut bench = Bench::new(&[64, 64]);
    bench.submit_many(12);
    assert_eq!(bench.has(0), [1, 3, 4, 5, 6, 7]);
    assert_eq!(bench.has(1), [2, 8, 9, 10, 11, 12]);
}

/// Returns a bench with a worker that runs a task and may have 64, and that was given none of these tasks yet.
fn with_queued(options: impl IntoIterator<Item = TaskOptions>) -> Bench {
    let mut bench = Bench::new(&[64]);
    bench.submit_many(1);
    bench.twins[0].start_next();
    bench.worker(0).set_stage(Stage::Starting);
    options.into_iter().for_each(|options| bench.submit(options));
    bench.worker(0).set_stage(Stage::Ready);
    bench
}

#[test]
fn a_worker_is_woken_once_for_the_tasks_of_its_share() {
    let mut bench = with_queued(std::iter::repeat_n(TaskOptions::new(), 13));
    let before = bench.twins[0].0.lock().rings;
    bench.dispatch();
    assert_eq!(bench.has(0), Vec::from_iter(1..=14));
    // A share is the task that it is chosen for, and a sixteenth of its depth.
    assert_eq!(bench.twins[0].0.lock().rings - before, 13_usize.div_ceil(5));
}

#[test]
fn the_shortest_time_limit_of_a_share_is_watched() {
    let limits = [None, Some(50), Some(20), None, Some(30)].map(|limit| limit.map(Duration::from_millis));
    let limited =
        |limit: Option<Duration>| limit.map_or_else(TaskOptions::new, |limit| TaskOptions::new().time_limit(limit));
    let mut bench = with_queued(limits.map(limited));
    bench.dispatch();
    assert_eq!(bench.has(0), [1, 2, 3, 4, 5, 6]);
    let due = bench.now + Duration::from_millis(20);
    assert_eq!(bench.worker(0).checks.limit, Some(due));
}

#[test]
fn a_share_goes_on_behind_a_cancelled_task() {
    let mut bench = with_queued(std::iter::repeat_n(TaskOptions::new(), 9));
    for cancelled in [1, 3, 4, 8] {
        assert!(bench.futures[cancelled].cancel());
    }
    bench.dispatch();
    assert_eq!(bench.has(0), [1, 3, 6, 7, 8, 10]);
    assert_eq!(bench.waiting(), [] as [u64; 0]);
}

#[test]
fn a_share_ends_at_a_request_that_is_not_taken_as_a_whole() {
    let mut bench = with_queued(std::iter::repeat_n(TaskOptions::new(), 9));
    bench.twins[0].0.lock().most = Some(10);
    let before = bench.twins[0].0.lock().rings;
    let deferred = bench.state.dispatch(bench.now);
    assert_eq!(deferred.unsent, Some(SlotId::FIRST));
    perform(deferred);
    assert_eq!((bench.has(0), bench.twins[0].0.lock().rings - before), (vec![1, 2], 1));
    assert!(bench.worker(0).has_backlog());
    bench.twins[0].0.lock().most = None;
    assert_eq!(bench.worker(0).send_backlog(), super::super::handle::Sent::All);
    bench.dispatch();
    assert_eq!(bench.has(0), Vec::from_iter(1..=10));
}

#[test]
fn a_share_ends_at_a_link_that_is_broken() {
    let mut bench = with_queued(std::iter::repeat_n(TaskOptions::new(), 9));
    bench.twins[0].0.lock().is_broken = true;
    bench.dispatch();
    assert_eq!((bench.has(0), bench.waiting()), (vec![1, 2], Vec::from_iter(3..=10)));
    assert_eq!(bench.worker(0).stage(), Stage::Leaving);
    bench.die(0);
    assert_eq!(bench.waiting(), Vec::from_iter(2..=10));
}

#[test]
fn a_worker_gets_no_more_tasks_than_it_may_run_in_its_life() {
    let limits = Limits { max_tasks_per_worker: Some(4), ..Limits::default() };
    let mut bench = Bench::with(limits, &[64]);
    bench.submit_many(9);
    assert_eq!((bench.has(0), bench.waiting()), (vec![1, 2, 3, 4], vec![5, 6, 7, 8, 9]));
}

#[test]
fn quick_tasks_stay_with_as_many_workers_as_there_are_processors() {
    for (depth, idle) in [(64, 2), (8, 0)] {
        let mut bench = Bench::new(&[depth; 4]);
        bench.state.dispatcher.processors = 2;
        bench.submit_many(12);
        assert_eq!((0..4).filter(|slot| bench.has(*slot).is_empty()).count(), idle, "depth {depth}");
    }
}

#[test]
fn tasks_that_turn_out_not_to_be_quick_go_to_all_workers() {
    let mut bench = Bench::new(&[64; 4]);
    bench.state.dispatcher.processors = 2;
    bench.submit_many(6);
    assert_eq!((bench.has(0), bench.has(1)), (vec![1, 3, 4, 5, 6], vec![2]));
    bench.twins[..2].iter().for_each(|twin| assert_eq!(twin.start_next(), Some(1)));
    bench.pass(Duration::from_millis(1));
    bench.check_stall(0);
    assert_eq!(bench.has(0), [1]);
    assert_eq!(bench.waiting(), [] as [u64; 0]);
    assert!((1..4).all(|slot| !bench.has(slot).is_empty()));
}

#[test]
fn an_idle_worker_gets_the_oldest_tasks_that_wait_behind_another() {
    let mut bench = Bench::new(&[8, 2]);
    bench.worker(1).set_stage(Stage::Starting);
    bench.submit_many(7);
    bench.twins[0].start_next();
    bench.worker(1).set_stage(Stage::Ready);
    bench.dispatch();
    assert_eq!((bench.has(0), bench.has(1)), (vec![1, 4, 5, 6, 7], vec![2, 3]));
}

#[test]
fn tasks_behind_a_long_one_come_back_and_so_do_younger_ones_of_other_workers() {
    let mut bench = Bench::new(&[4, 4]);
    bench.submit_many(8);
    bench.twins.iter().for_each(|twin| assert_eq!(twin.start_next(), Some(1)));
    bench.pass(Duration::from_millis(1));
    // The second worker completes tasks all the time, the first does not.
    bench.finish(1);
    bench.pass(Duration::from_micros(500));
    bench.check_stall(0);
    assert_eq!(bench.has(0), [1]);
    assert_eq!(bench.has(1), [4, 3, 5, 6]);
    assert_eq!(bench.waiting(), [7, 8]);
    assert_eq!(bench.worker(0).depth(), 1);
}

#[test]
fn a_task_that_is_alone_on_its_worker_is_not_taken_back() {
    let mut bench = Bench::new(&[4]);
    bench.submit_many(1);
    bench.pass(Duration::from_millis(2));
    bench.submit_many(1);
    assert_eq!(bench.worker(0).in_flight().front().map(|task| task.sequence), Some(1));
    assert_eq!(bench.waiting(), [2]);
}

#[test]
fn a_batch_is_one_task_to_what_waits_behind_it() {
    let mut bench = Bench::new(&[4]);
    let catch = Catch::default();
    let results = catch.map_with(MapOptions::new().chunksize(3), |n: u32| n, 0..3).expect("caught");
    let task = catch.0.lock().pop().expect("one");
    bench.state.queue.push_back(Job::new(task, None).expect("written"));
    bench.dispatch();
    bench.submit_many(1);
    bench.twins[0].start_next();
    let mut record = Vec::new();
    let error = Error::new(ErrorKind::Other, "an outcome like any other");
    batch::write_record(&mut record, |outcome| outcome::write_error(&error, outcome));
    for _ in 0..2 {
        bench.pass(Duration::from_micros(900));
        let now = bench.now;
        let progress = bench.worker(0).on_outcome(1, record.clone().into(), now);
        assert!(matches!(progress, Ok(None)));
    }
    bench.check_stall(0);
    assert_eq!((bench.has(0).len(), bench.waiting().len()), (1, 1));
    drop(results);
}

#[test]
fn a_full_queue_wakes_workers_that_were_left_asleep() {
    let mut bench = Bench::new(&[64; 4]);
    bench.state.dispatcher.processors = 2;
    bench.state.limits.queue_capacity = Some(5);
    bench.submit_many(6);
    assert!(bench.has(2).is_empty());
    bench.submit_many(4);
    assert!((2..4).all(|slot| !bench.has(slot).is_empty()));
}

#[test]
fn rebalanced_tasks_stay_in_order_when_only_one_more_worker_is_used() {
    let mut bench = Bench::new(&[200, 24, 24, 24]);
    bench.state.dispatcher.processors = 2;
    (1..4).for_each(|slot| bench.worker(slot).set_stage(Stage::Starting));
    bench.submit_many(120);
    bench.twins[0].start_next();
    (1..4).for_each(|slot| bench.worker(slot).set_stage(Stage::Ready));
    bench.dispatch();
    assert!(bench.has(2).is_empty(), "two processors, two workers");
    for slot in 0..2 {
        assert!(bench.has(slot).is_sorted(), "{:?}", bench.has(slot));
    }
}

#[test]
fn no_task_is_put_behind_one_that_is_known_to_be_long() {
    let mut bench = Bench::new(&[4]);
    bench.submit_many(1);
    bench.twins[0].start_next();
    bench.pass(Duration::from_millis(2));
    bench.submit_many(3);
    assert_eq!(bench.has(0), [1]);
    assert_eq!(bench.waiting(), [2, 3, 4]);
    bench.finish(0);
    assert_eq!(bench.has(0), [2]);
}

#[test]
fn a_higher_priority_replaces_what_has_not_started() {
    let mut bench = Bench::new(&[3]);
    bench.submit_many(4);
    bench.twins[0].start_next();
    bench.submit(TaskOptions::new().priority(1));
    assert_eq!(bench.has(0), [1, 5, 2]);
    bench.submit(TaskOptions::new().priority(-1));
    assert_eq!((bench.has(0), bench.waiting()), (vec![1, 5, 2], vec![3, 4, 6]));
}

#[test]
fn the_depth_follows_the_length_of_tasks() {
    let mut bench = Bench::new(&[1]);
    for expected in [2, 4, 8, 16] {
        bench.state.adapt_depth(SlotId::FIRST, 10, Duration::from_micros(10), false);
        assert_eq!(bench.worker(0).depth(), expected);
    }
    for _ in 0..10 {
        bench.state.adapt_depth(SlotId::FIRST, 10, Duration::from_micros(10), false);
    }
    assert_eq!(bench.worker(0).depth(), 502);
    bench.state.adapt_depth(SlotId::FIRST, 1, Duration::from_micros(50), true);
    assert_eq!(bench.worker(0).depth(), 502);
    bench.state.adapt_depth(SlotId::FIRST, 1, Duration::from_millis(5), true);
    assert_eq!(bench.worker(0).depth(), 1);
}

#[test]
fn a_low_priority_means_late_and_not_never() {
    for depth in [1, 4] {
        let mut bench = Bench::new(&[depth]);
        bench.submit(TaskOptions::new());
        bench.twins[0].start_next();
        bench.submit(TaskOptions::new().priority(-1));
        let mut before = 0;
        while bench.has(0).first() != Some(&2) {
            bench.submit(TaskOptions::new().priority(1));
            bench.finish(0);
            before += 1;
            assert!(before < 2_100, "it has not started");
        }
        assert!(before > 2_000, "only {before} of higher priority have started before");
    }
}
