//! When a task starts, until when it can be cancelled, and which worker runs it.

use std::collections::BTreeSet;

use executor_core::Backend as _;
use executor_core::{ErrorKind, Executor, Future, Shutdown};
use process_pool::{ProcessPoolExecutor, Transport};

use crate::support::{
    Blocker, SharedDir, add_line, builder, get, kill, on, on_both, pool, wait_until, wait_until_tasks_are_long, warm_up,
};

fn adds_its_number((path, number): (String, u32)) -> u32 {
    add_line(&path, number);
    number
}

/// Runs short tasks, so that the pool then sends a worker several tasks together, if the transport allows it.
fn run_short_tasks(pool: &ProcessPoolExecutor) {
    for _ in 0..3 {
        let futures: Vec<Future<u32>> = (0..300).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        futures.iter().for_each(|future| assert!(get(future).is_ok()));
    }
}

#[test]
fn exactly_one_of_ran_and_cancelled_is_true() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        run_short_tasks(&pool);
        let (mut cancelled, mut kept) = (BTreeSet::new(), Vec::new());
        for number in 0..1500 {
            let future = pool.submit(adds_its_number, (dir.path("ran"), number)).unwrap();
            for _ in 0..number % 40 * 20 {
                std::hint::spin_loop();
            }
            if future.cancel() {
                assert!(future.done() && future.cancelled() && !future.running());
                cancelled.insert(number);
            } else {
                assert!(!future.cancelled());
                kept.push((number, future));
            }
        }
        for (number, future) in kept {
            assert_eq!(get(&future).unwrap(), number);
        }
        let ran: BTreeSet<u32> = dir.numbers("ran").into_iter().collect();
        assert_eq!(dir.numbers("ran").len(), ran.len(), "one ran twice");
        assert!(ran.is_disjoint(&cancelled), "{:?}", ran.intersection(&cancelled).collect::<Vec<_>>());
        assert_eq!(ran.len() + cancelled.len(), 1500);
    });
}

#[test]
fn tasks_that_wait_behind_another_do_not_run_and_can_be_cancelled() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        run_short_tasks(&pool);
        let blocker = Blocker::start(&pool);
        assert!(blocker.future.running() && !blocker.future.cancel());
        let behind: Vec<Future<u32>> =
            (0..10).map(|number| pool.submit(adds_its_number, (dir.path("ran"), number)).unwrap()).collect();
        assert!(behind.iter().all(|future| !future.running() && !future.done()));
        assert!(behind.iter().all(Future::cancel));
        blocker.release();
        assert_eq!(get(&pool.submit(|n: u32| n, 5).unwrap()).unwrap(), 5);
        assert!(dir.numbers("ran").is_empty());
    });
}

#[test]
fn a_worker_takes_the_next_task_after_many_cancelled_ones() {
    // Over a socket a task starts when it is sent, so a sent task cannot be cancelled.
    on(Transport::Ring, |transport| {
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let worker = pool.worker_pids()[0];
        for round in 0..3 {
            kill(worker, libc::SIGSTOP);
            // More tasks than a ring has slots.
            for _ in 0..400 {
                assert!(pool.submit(|n: u32| n, 1).unwrap().cancel());
            }
            let last = pool.submit(|n: u32| n, round).unwrap();
            kill(worker, libc::SIGCONT);
            assert_eq!(get(&last).unwrap(), round);
        }
    });
}

#[test]
fn no_worker_is_idle_while_a_task_waits_behind_another() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        run_short_tasks(&pool);
        let first = Blocker::start(&pool);
        let second = Blocker::start(&pool);
        wait_until_tasks_are_long();
        let behind: Vec<Blocker> = (0..6).map(|_| Blocker::submit(&pool)).collect();
        assert!(behind.iter().all(|blocker| !blocker.future.running()));
        // One worker stays busy. The other one runs all waiting tasks, one after the other.
        second.release();
        for blocker in behind {
            blocker.wait_until_running();
            blocker.release();
        }
        assert!(first.future.running());
        first.release();
    });
}

#[test]
fn a_new_worker_gets_tasks_that_wait_behind_anothers() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        run_short_tasks(&pool);
        let first = Blocker::start(&pool);
        let lost = pool.submit(super::support::never_ends, dir.path("lost")).unwrap();
        wait_until("a start", || dir.has("lost"));
        wait_until_tasks_are_long();
        let behind: Vec<Blocker> = (0..4).map(|_| Blocker::submit(&pool)).collect();
        lost.terminate(std::time::Duration::ZERO);
        assert_eq!(get(&lost).unwrap_err().kind(), ErrorKind::Terminated);
        for blocker in behind {
            blocker.wait_until_running();
            blocker.release();
        }
        first.release();
    });
}

#[test]
fn workers_that_reach_their_task_limit_are_replaced_and_lose_no_task() {
    on_both(|transport| {
        let pool = builder(transport, 2).max_tasks_per_worker(3).build().unwrap();
        let futures: Vec<Future<u32>> = (0..20).map(|_| pool.submit(|()| std::process::id(), ()).unwrap()).collect();
        let mut counts = std::collections::BTreeMap::new();
        for future in &futures {
            *counts.entry(get(future).unwrap()).or_insert(0) += 1;
        }
        assert!(counts.values().all(|count| *count <= 3), "{counts:?}");
        assert!(counts.len() >= 7);
        let blockers = [(); 2].map(|()| Blocker::start(&pool));
        blockers.into_iter().for_each(Blocker::release);
    });
}

#[test]
fn a_bounded_queue_has_space_again_when_a_task_leaves_it() {
    on_both(|transport| {
        let pool = builder(transport, 1).queue_capacity(2).build().unwrap();
        for round in 0..30 {
            let blocker = Blocker::start(&pool);
            let waiting = [1, 2].map(|n| pool.try_submit(|n: u32| n, n).expect("there is space"));
            let refused = pool.try_submit(|n: u32| n, 3).expect_err("it is full");
            assert_eq!(refused.kind(), ErrorKind::QueueFull);
            match round % 3 {
                0 => {
                    assert!(waiting[0].cancel());
                    let third = pool.try_submit(|n: u32| n, 3).expect("there is space again");
                    assert!(pool.try_submit(|n: u32| n, 3).is_err());
                    blocker.release();
                    assert_eq!(get(&third).unwrap(), 3);
                }
                1 => {
                    // A death must not count the waiting tasks twice.
                    kill(pool.worker_pids()[0], libc::SIGKILL);
                    assert_eq!(get(&blocker.future).unwrap_err().kind(), ErrorKind::WorkerDied);
                }
                _ => blocker.release(),
            }
            assert_eq!(get(&waiting[1]).unwrap(), 2);
            // A `submit` that waits for space gets it.
            assert_eq!(get(&pool.submit(|n: u32| n, 4).unwrap()).unwrap(), 4);
        }
    });
}

#[test]
fn submit_waits_while_the_queue_is_full_and_the_pool_is_open() {
    on_both(|transport| {
        let pool = builder(transport, 1).queue_capacity(1).build().unwrap();
        let blocker = Blocker::start(&pool);
        let waiting = pool.submit(|n: u32| n, 1).unwrap();
        std::thread::scope(|scope| {
            let submitter = scope.spawn(|| pool.submit(|n: u32| n, 2));
            blocker.release();
            assert_eq!(get(&submitter.join().unwrap().unwrap()).unwrap(), 2);
        });
        assert_eq!(get(&waiting).unwrap(), 1);
        let blocker = Blocker::start(&pool);
        let _waiting = pool.submit(|n: u32| n, 1).unwrap();
        std::thread::scope(|scope| {
            let submitter = scope.spawn(|| pool.submit(|n: u32| n, 2));
            pool.close(Shutdown::CancelPending);
            assert_eq!(submitter.join().unwrap().unwrap_err().kind(), ErrorKind::ShutDown);
        });
        blocker.release();
    });
}

#[test]
fn a_worker_at_its_task_limit_frees_no_space_in_a_bounded_queue() {
    on_both(|transport| {
        let pool = builder(transport, 1).queue_capacity(1).max_tasks_per_worker(1).build().unwrap();
        for _ in 0..10 {
            let blocker = Blocker::start(&pool);
            blocker.open();
            // At any moment, at most one task waits beside the running one.
            let accepted = (0..50).filter_map(|n| pool.try_submit(|n: u32| n, n).ok()).collect::<Vec<_>>();
            assert!(accepted.len() <= 3, "{} were accepted", accepted.len());
            accepted.iter().for_each(|future| assert!(get(future).is_ok()));
        }
    });
}
