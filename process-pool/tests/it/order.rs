//! The order in which tasks start.

use std::time::Duration;

use executor_core::{ErrorKind, Executor, Future, TaskOptions};

use crate::support::{Blocker, SharedDir, add_line, get, kill, on_both, pool, wait_until_tasks_are_long};

fn notes((path, number): (String, u32)) {
    add_line(&path, number);
}

/// Runs short tasks, so that the pool then sends a worker many tasks together.
fn warm(pool: &process_pool::ProcessPoolExecutor) {
    for _ in 0..3 {
        let futures: Vec<Future<u32>> = (0..200).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        futures.iter().for_each(|future| assert!(get(future).is_ok()));
    }
}

#[test]
fn tasks_start_in_the_order_of_submission() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        warm(&pool);
        let futures: Vec<Future<()>> =
            (0..500).map(|number| pool.submit(notes, (dir.path("order"), number)).unwrap()).collect();
        futures.iter().for_each(|future| get(future).unwrap());
        assert_eq!(dir.numbers("order"), (0..500).collect::<Vec<u32>>());
    });
}

#[test]
fn a_higher_priority_starts_first_and_equal_ones_keep_their_order() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        warm(&pool);
        let blocker = Blocker::start(&pool);
        let submit = |priority, number| {
            let options = TaskOptions::new().priority(priority);
            pool.submit_with(options, notes, (dir.path("order"), number)).unwrap()
        };
        let mut futures: Vec<Future<()>> = (20..30).map(|number| submit(0, number)).collect();
        futures.extend((40..45).map(|number| submit(-7, number)));
        futures.extend((0..10).map(|number| submit(5, number)));
        futures.extend((30..40).map(|number| submit(0, number)));
        futures.extend((10..20).map(|number| submit(5, number)));
        blocker.release();
        futures.iter().for_each(|future| get(future).unwrap());
        assert_eq!(dir.numbers("order"), (0..45).collect::<Vec<u32>>());
    });
}

#[test]
fn tasks_that_are_taken_back_from_workers_keep_their_order() {
    fn slow((path, number): (String, u32)) {
        add_line(&path, number);
        std::thread::park_timeout(Duration::from_micros(u64::from(number % 5) * 400));
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        warm(&pool);
        let blockers = [(); 2].map(|()| Blocker::start(&pool));
        wait_until_tasks_are_long();
        let futures: Vec<Future<()>> =
            (0..200).map(|number| pool.submit(slow, (dir.path("order"), number)).unwrap()).collect();
        // A task with a higher priority makes the pool take all of them back.
        let urgent = TaskOptions::new().priority(1);
        let urgent = pool.submit_with(urgent, notes, (dir.path("order"), 1000)).unwrap();
        let [first, second] = blockers;
        first.release();
        get(&urgent).unwrap();
        futures.iter().for_each(|future| get(future).unwrap());
        // One worker ran all of them, because the other one is still blocked.
        let mut order = dir.numbers("order");
        assert_eq!(order.remove(0), 1000);
        assert_eq!(order, (0..200).collect::<Vec<u32>>());
        second.release();
    });
}

#[test]
fn a_death_keeps_the_order_of_the_other_tasks() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        warm(&pool);
        let blocker = Blocker::start(&pool);
        let futures: Vec<Future<()>> =
            (0..50).map(|number| pool.submit(notes, (dir.path("order"), number)).unwrap()).collect();
        kill(pool.worker_pids()[0], libc::SIGKILL);
        assert_eq!(get(&blocker.future).unwrap_err().kind(), ErrorKind::WorkerDied);
        futures.iter().for_each(|future| get(future).unwrap());
        assert_eq!(dir.numbers("order"), (0..50).collect::<Vec<u32>>());
    });
}
