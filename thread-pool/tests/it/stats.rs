//! The statistics of a pool.

use std::sync::{Arc, Barrier};

use executor_core::{Backend, Executor, Shutdown, TaskOptions};
use thread_pool::{ThreadPoolExecutor, ThreadStats};

use crate::support::{HANGS as DEADLINE, wait_until, watched};

/// Returns done, failed, panics and cancelled.
fn ended(stats: ThreadStats) -> [u64; 4] {
    [stats.done, stats.failed, stats.panics, stats.cancelled]
}

/// Blocks this number of threads of a pool. Returns what lets them go on.
fn block(pool: &ThreadPoolExecutor, threads: usize) -> Arc<Barrier> {
    let (begun, free) = (Arc::new(Barrier::new(threads + 1)), Arc::new(Barrier::new(threads + 1)));
    for _ in 0..threads {
        let (begun, free) = (begun.clone(), free.clone());
        drop(pool.spawn(move || (begun.wait(), free.wait()).0.is_leader()).unwrap());
    }
    begun.wait();
    free
}

#[test]
fn each_task_counts_once_by_how_it_ended() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(3).unwrap();
        let tasks: Vec<_> = (0..300_u64).map(|n| pool.submit(|n: u64| assert_ne!(n % 3, 0), n).unwrap()).collect();
        let failed = tasks.iter().filter(|task| task.result(DEADLINE).is_err()).count();
        assert_eq!(failed, 100);
        assert_eq!(ended(pool.stats()), [200, 100, 100, 0]);
        // A `Result` is a value, whatever it is.
        pool.submit(|n: u64| Err::<(), u64>(n), 1).unwrap().result(DEADLINE).unwrap().unwrap_err();
        assert_eq!(ended(pool.stats()), [201, 100, 100, 0]);
        assert_eq!(pool.stats().threads, 3);
    });
}

#[test]
fn queued_and_running_tasks_are_those_that_wait_and_run() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        assert!(pool.wait_idle());
        let free = block(&pool, 2);
        let low = TaskOptions::new().priority(-1);
        let waiting: Vec<_> = (0..50).map(|_| pool.spawn_with(low.clone(), || ()).unwrap()).collect();
        let others: Vec<_> = (0..100).map(|_| pool.spawn(|| ()).unwrap()).collect();
        assert_eq!((pool.stats().queued, pool.stats().running), (150, 2));
        // Fewer than are removed at once, so they stay in the queue.
        assert!(others.iter().take(40).all(|task| task.cancel()));
        assert_eq!((pool.stats().queued, pool.stats().cancelled), (110, 40));
        assert!(waiting.iter().all(|task| task.cancel()));
        assert_eq!((pool.stats().queued, pool.stats().cancelled), (60, 90));
        free.wait();
        assert!(pool.wait_idle());
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.running, ended(stats)), (0, 0, [62, 0, 0, 90]));
    });
}

#[test]
fn a_task_that_ran_inside_another_counts_too() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
        let inner = pool.clone();
        let outer = pool.spawn(move || {
            let tasks: Vec<_> = (0..200_u64).map(|n| inner.spawn(move || assert_ne!(n % 2, 0)).unwrap()).collect();
            let failed = tasks.iter().filter(|task| task.result(DEADLINE).is_err()).count();
            (failed, inner.stats())
        });
        let (failed, inside) = outer.unwrap().result(DEADLINE).unwrap();
        assert_eq!((failed, ended(inside)), (100, [100, 100, 100, 0]));
        assert_eq!((inside.queued, inside.running), (0, 1), "stale tasks are not queued");
        assert_eq!(ended(pool.stats()), [101, 100, 100, 0]);
    });
}

#[test]
fn tasks_on_fresh_stacks_count_too() {
    fn nested(pool: &Arc<ThreadPoolExecutor>, depth: u64) -> u64 {
        if depth == 0 {
            return 0;
        }
        let inner = pool.clone();
        1 + pool.spawn(move || nested(&inner, depth - 1)).unwrap().result(DEADLINE).unwrap()
    }
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::builder().max_workers(1).stack_size(128 << 10).build().unwrap());
        let inner = pool.clone();
        assert_eq!(pool.spawn(move || nested(&inner, 200)).unwrap().result(DEADLINE).unwrap(), 200);
        assert_eq!(ended(pool.stats()), [201, 0, 0, 0]);
    });
}

#[test]
fn scoped_tasks_count_and_halves_do_not() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        let numbers: Vec<u64> = (0..10_000).collect();
        let sum = pool.scope(|scope| {
            let tasks: Vec<_> = numbers.chunks(100).map(|chunk| scope.spawn(|| chunk.iter().sum::<u64>())).collect();
            tasks.into_iter().map(|task| task.result(None).unwrap()).sum::<u64>()
        });
        assert_eq!((sum, ended(pool.stats())), (numbers.iter().sum(), [100, 0, 0, 0]));
        let before = pool.stats();
        pool.scope(|scope| scope.join(|| (), || ()));
        assert!(pool.stats().done <= before.done + 1);
    });
}

#[test]
fn tasks_that_a_shutdown_cancels_are_counted() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let free = block(&pool, 1);
        let waiting: Vec<_> = (0..20).map(|_| pool.spawn(|| ()).unwrap()).collect();
        pool.close(Shutdown::CancelPending);
        free.wait();
        assert!(pool.join(Some(DEADLINE)));
        assert!(waiting.iter().all(|task| task.cancelled()));
        let stats = pool.stats();
        assert_eq!((ended(stats), stats.queued, stats.running), ([1, 0, 0, 20], 0, 0));
    });
}

#[test]
fn counts_survive_the_threads_that_counted() {
    watched(|| {
        let pool = ThreadPoolExecutor::builder().max_workers(4).build().unwrap();
        for round in 1..=5_u64 {
            let tasks: Vec<_> = (0..100_u64).map(|n| pool.spawn(move || n).unwrap()).collect();
            assert!(tasks.iter().all(|task| task.result(DEADLINE).is_ok()));
            assert_eq!(pool.stats().done, 100 * round);
            pool.resize(if round % 2 == 0 { 4 } else { 1 }).unwrap();
        }
        wait_until("the end of surplus threads", || pool.stats().threads == 1);
    });
}

#[test]
fn a_task_that_looks_at_the_statistics_runs() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
        let inner = pool.clone();
        let seen = pool.spawn(move || inner.stats().running).unwrap().result(DEADLINE).unwrap();
        assert_eq!(seen, 1);
    });
}
