//! The end of a pool.

use std::time::Duration;

use conformance::{Gate, Ticket};
use executor_core::{Backend, ErrorKind, Executor, Shutdown};
use process_pool::{ProcessPoolExecutor, Transport};
use test_support::{DEADLINE, is_alive, wait_gone};

use super::{builder, failure, pid, pool, value};

pub(super) fn cf_064_cf_065_dropping_a_pool_whose_workers_leave_runs_everything(transport: Transport) {
    let pool = builder(transport, 1).max_tasks_per_worker(1).build().expect("it can be built");
    let futures: Vec<_> = (0..3).map(|n| pool.submit(|n: u32| n, n).expect("it is open")).collect();
    pool.close(Shutdown::Drain);
    drop(pool);
    for (n, future) in (0..).zip(&futures) {
        assert_eq!(future.result(Duration::ZERO).expect("it ran before the drop returned"), n);
    }
}

pub(super) fn cf_066_a_worker_that_leaves_during_terminate_is_not_replaced(transport: Transport) {
    for _ in 0..5 {
        let pool = builder(transport, 2).max_tasks_per_worker(1).build().expect("it can be built");
        let futures: Vec<_> = (0..10).map(|n| pool.submit(|n: u32| n, n).expect("it is open")).collect();
        let _ = value(&futures[0]);
        pool.close(Shutdown::Terminate { grace: Duration::ZERO });
        assert!(pool.join(Some(DEADLINE)));
        assert!(pool.worker_pids().is_empty());
        for future in &futures[1..] {
            assert!(future.done());
            if let Err(error) = future.result(None) {
                assert!(matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Terminated), "{error}");
            }
        }
    }
}

pub(super) fn cf_068_shutting_down_early_with_a_limit_of_one(transport: Transport) {
    let pool = builder(transport, 3).max_tasks_per_worker(1).build().expect("it can be built");
    let futures: Vec<_> = (0..6).map(|n| pool.submit(|n: u32| n * n, n).expect("it is open")).collect();
    pool.shutdown(Shutdown::Drain);
    for (n, future) in (0..).zip(&futures) {
        assert_eq!(future.result(Duration::ZERO).expect("it ran"), n * n);
    }
}

pub(super) fn cf_076_terminate_ends_the_processes(transport: Transport) {
    for grace in [Duration::ZERO, DEADLINE] {
        let pool = pool(transport, 2);
        let gate = Gate::new("blocked", DEADLINE);
        let futures: Vec<_> =
            (0..2).map(|label| pool.submit(Ticket::pass, gate.ticket(label)).expect("it is open")).collect();
        gate.wait_arrivals(2);
        let pids = pool.worker_pids();
        pool.shutdown(Shutdown::Terminate { grace });
        wait_gone(&pids, DEADLINE);
        for future in &futures {
            assert_eq!(failure(future).kind(), ErrorKind::Terminated);
        }
        assert_eq!(pool.submit(pid, ()).expect_err("it was shut down").kind(), ErrorKind::ShutDown);
    }
}

pub(super) fn cf_105_cf_106_cf_107_cf_108_every_process_ends_with_the_pool(transport: Transport) {
    let ends: [fn(ProcessPoolExecutor); 3] = [
        |pool| pool.shutdown(Shutdown::Drain),
        drop,
        |pool| {
            pool.close(Shutdown::Drain);
            assert!(pool.join(Some(DEADLINE)));
        },
    ];
    for end in ends {
        let pool = pool(transport, 3);
        let map = pool.map(|n: i64| n.abs(), -5..5).expect("it is open");
        let pids = pool.worker_pids();
        assert_eq!(pids.len(), 3);
        assert!(pids.iter().all(|pid| is_alive(*pid)));
        end(pool);
        assert!(!pids.iter().any(|pid| is_alive(*pid)), "a worker outlived its pool");
        assert_eq!(map.map(|item| item.expect("it ran")).collect::<Vec<_>>(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
    }
}

pub(super) fn cf_109_cf_110_a_failing_task_and_a_limit_of_one(transport: Transport) {
    for workers in [2, 4] {
        let pool = builder(transport, workers).max_tasks_per_worker(1).build().expect("it can be built");
        let future = pool.submit(|n: u32| 100 / n, 0).expect("it is open");
        pool.close(Shutdown::Drain);
        assert!(pool.join(Some(DEADLINE)));
        assert_eq!(failure(&future).kind(), ErrorKind::Panicked);
    }
}
