//! Tests of the number of workers: which are wanted for the tasks that there are, and which leave.

use super::*;
use crate::pool::Timer;

/// Returns a bench whose pool keeps this many workers, and one timer for idle workers that the pool need not keep.
fn bench(kept: usize, depths: &[usize]) -> Bench {
    let limits = Limits { min_workers: Some(kept), idle_timeout: Some(TIMEOUT), ..Limits::default() };
    let mut bench = Bench::with(limits, depths);
    let now = bench.now;
    bench.state.on_worker_added(SlotId::FIRST, now);
    bench
}

const TIMEOUT: Duration = Duration::from_secs(5);

/// Lets a worker leave that was told to.
fn leave(bench: &mut Bench, slot: usize) {
    assert!(bench.worker(slot).was_told_to_leave());
    bench.die(slot);
}

fn wanted(bench: &mut Bench) -> Vec<usize> {
    bench.state.take_wanted_slots().into_iter().map(SlotId::index).collect()
}

/// Handles the timers that are due after this time.
fn pass(bench: &mut Bench, time: Duration) {
    bench.pass(time);
    while let Some(timer) = bench.state.timers.due(bench.now) {
        perform(bench.state.on_timer(timer, false, bench.now));
    }
}

#[test]
fn workers_that_need_not_be_kept_leave_after_the_time_out_and_come_back_for_tasks() {
    let mut bench = bench(1, &[1, 1, 1]);
    assert!(wanted(&mut bench).is_empty());
    pass(&mut bench, TIMEOUT - Duration::from_secs(1));
    assert!((0..3).all(|slot| !bench.worker(slot).was_told_to_leave()));
    // A task makes its worker the one that was idle for the shortest time.
    bench.submit_many(1);
    assert_eq!(bench.has(0), [1]);
    bench.twins[0].start_next();
    bench.finish(0);
    pass(&mut bench, Duration::from_secs(1) + Duration::from_millis(1));
    assert!(!bench.worker(0).was_told_to_leave());
    leave(&mut bench, 1);
    leave(&mut bench, 2);
    assert_eq!((bench.state.counters.deaths, bench.state.counters.restarts), (0, 0));
    pass(&mut bench, 10 * TIMEOUT);
    assert!(!bench.worker(0).was_told_to_leave(), "one is kept");

    // The first task has a worker, the others ask for theirs.
    bench.submit_many(1);
    assert!(wanted(&mut bench).is_empty());
    bench.submit_many(1);
    assert_eq!(wanted(&mut bench), [1]);
    bench.start_worker(1);
    bench.submit_many(1);
    bench.submit_many(1);
    assert_eq!(wanted(&mut bench), [2], "there is no fourth slot");
    bench.start_worker(2);
    bench.dispatch();
    bench.submit_many(1);
    assert!(wanted(&mut bench).is_empty());
    assert_eq!(bench.state.counters.restarts, 0);
}

#[test]
fn a_worker_that_dies_is_replaced_only_if_it_is_wanted() {
    let mut bench = bench(1, &[1, 1]);
    bench.die(0);
    assert!(!bench.state.needs_worker(SlotId::new(0)), "the other one is kept");
    bench.die(1);
    assert!(bench.state.needs_worker(SlotId::new(1)));
    bench.start_worker(1);
    assert_eq!(bench.state.counters.restarts, 1);
    bench.submit_many(2);
    assert_eq!(wanted(&mut bench), [0]);
}

#[test]
fn a_slot_whose_starts_fail_is_not_asked_for_again_before_its_pause_is_over() {
    let mut bench = bench(0, &[1]);
    bench.die(0);
    bench.submit_many(1);
    assert_eq!(wanted(&mut bench), [0]);
    bench.state.slots[SlotId::new(0)].waits_for_start = true;
    bench.submit_many(5);
    assert!(wanted(&mut bench).is_empty());
}

#[test]
fn a_pool_that_is_made_narrower_takes_back_what_waits_and_lets_running_tasks_end() {
    let mut bench = Bench::new(&[4, 4]);
    bench.submit_many(4);
    bench.twins.iter().for_each(|twin| assert!(twin.start_next().is_some()));
    assert_eq!((bench.has(0), bench.has(1)), (vec![1, 3], vec![2, 4]));
    let now = bench.now;
    perform(bench.state.resize(1, "pool", now));
    assert_eq!((bench.has(0), bench.has(1)), (vec![1, 3, 4], vec![2]));
    assert!(bench.state.retire_idle_workers(now).is_empty() && !bench.worker(1).was_told_to_leave());
    bench.finish_front(1);
    assert!(bench.state.retire_idle_workers(now).is_empty());
    leave(&mut bench, 1);
    assert!(!bench.state.needs_worker(SlotId::new(1)));
    // It becomes wider than it ever was.
    perform(bench.state.resize(3, "pool", now));
    assert_eq!(wanted(&mut bench), [1, 2]);
    assert_eq!(bench.state.slots[SlotId::new(2)].name, "pool_2");
    assert_eq!(bench.state.counters.deaths, 0);
}

#[test]
fn a_worker_that_is_started_while_the_pool_becomes_narrower_is_dismissed() {
    let mut bench = Bench::new(&[1, 1]);
    bench.die(0);
    bench.die(1);
    assert!(bench.state.needs_worker(SlotId::new(1)));
    let now = bench.now;
    perform(bench.state.resize(1, "pool", now));
    // The process was being started meanwhile.
    bench.start_worker(1);
    assert!(bench.state.needs_worker(SlotId::new(0)), "it does not count");
    bench.state.on_worker_added(SlotId::new(1), now);
    leave(&mut bench, 1);
    assert!(!bench.state.needs_worker(SlotId::new(1)));
}

#[test]
fn idle_workers_are_not_checked_without_a_pause() {
    let mut bench = bench(1, &[1, 1]);
    bench.submit_many(2);
    bench.twins.iter().for_each(|twin| assert!(twin.start_next().is_some()));
    pass(&mut bench, TIMEOUT);
    let due = std::iter::from_fn(|| bench.state.timers.due(bench.now + TIMEOUT)).filter(|due| *due == Timer::Idle);
    assert_eq!(due.count(), 1);
}
