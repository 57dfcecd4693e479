//! The bound of the queue.

use std::{
    sync::{Arc, Barrier, mpsc::channel},
    thread,
};

use executor_core::{Backend, ErrorKind, Executor, Shutdown, Task, TaskOptions, task};
use thread_pool::ThreadPoolExecutor;

use crate::support::{Blocker, HANGS, watched};

fn pool(workers: usize, capacity: usize) -> ThreadPoolExecutor {
    ThreadPoolExecutor::builder().max_workers(workers).queue_capacity(capacity).build().unwrap()
}

#[test]
fn a_full_queue_refuses_submits_that_must_not_block() {
    let pool = pool(1, 2);
    let blocker = Blocker::start(&pool);
    let waiting = [pool.try_submit(|n: u64| n, 1).unwrap(), pool.try_spawn(|| 2).unwrap()];
    let error = pool.try_submit(|n: u64| n, 3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QueueFull);
    assert_eq!(pool.try_spawn(|| 3).unwrap_err().kind(), ErrorKind::QueueFull);
    let options = || TaskOptions::new().name("late").priority(1).retries(1);
    assert_eq!(pool.try_submit_with(options(), |n: u64| n, 3).unwrap_err().kind(), ErrorKind::QueueFull);
    assert_eq!(pool.try_spawn_with(options(), || 3).unwrap_err().kind(), ErrorKind::QueueFull);
    blocker.release();
    assert_eq!(waiting.map(|future| future.result(HANGS).unwrap()), [1, 2]);
    assert_eq!(pool.try_submit(|n: u64| n, 4).unwrap().result(HANGS).unwrap(), 4);
    let name = |()| task::current().unwrap().name().to_string();
    assert_eq!(pool.try_submit_with(options(), name, ()).unwrap().result(HANGS).unwrap(), "late");
    assert_eq!(pool.try_spawn_with(options(), move || name(())).unwrap().result(HANGS).unwrap(), "late");
}

#[test]
fn a_cancelled_task_is_released_once() {
    let pool = pool(1, 2);
    let blocker = Blocker::start(&pool);
    for _ in 0..100 {
        let one = pool.try_submit(|n: u64| n, 1).unwrap();
        let two = pool.try_submit(|n: u64| n, 2).unwrap();
        assert_eq!(pool.try_submit(|n: u64| n, 3).unwrap_err().kind(), ErrorKind::QueueFull);
        assert!(one.cancel() && one.cancel() && two.cancel());
    }
    let one = pool.try_submit(|n: u64| n, 1).unwrap();
    blocker.release();
    assert_eq!(one.result(HANGS).unwrap(), 1);
    // The worker has dropped all cancelled tasks, and the bound has not changed.
    let blocker = Blocker::start(&pool);
    let _waiting = [pool.try_spawn(|| ()).unwrap(), pool.try_spawn(|| ()).unwrap()];
    assert_eq!(pool.try_spawn(|| ()).unwrap_err().kind(), ErrorKind::QueueFull);
    blocker.release();
}

#[test]
fn a_task_that_is_cancelled_before_or_during_schedule_does_not_count_as_waiting() {
    watched(|| {
        let pool = Arc::new(pool(1, 2));
        let blocker = Blocker::start(&pool);
        for _ in 0..100 {
            let (task, future) = Task::from_closure_without_waiting(TaskOptions::new(), || ());
            assert!(future.cancel());
            pool.schedule(task).unwrap();
        }
        for _ in 0..1000 {
            let (task, future) = Task::from_closure_without_waiting(TaskOptions::new(), || ());
            let start = Arc::new(Barrier::new(2));
            let canceller = thread::spawn({
                let start = start.clone();
                move || {
                    start.wait();
                    assert!(future.cancel());
                }
            });
            start.wait();
            pool.schedule(task).unwrap();
            canceller.join().unwrap();
        }
        let waiting = [pool.try_spawn(|| 1).unwrap(), pool.try_spawn(|| 2).unwrap()];
        assert_eq!(pool.try_spawn(|| 3).unwrap_err().kind(), ErrorKind::QueueFull);
        blocker.release();
        assert_eq!(waiting.map(|future| future.result(HANGS).unwrap()), [1, 2]);
    });
}

#[test]
fn submit_blocks_while_the_queue_is_full() {
    watched(|| {
        let pool = Arc::new(pool(1, 1));
        let blocker = Blocker::start(&pool);
        let first = pool.submit(|n: u64| n, 1).unwrap();
        let (submitted, second) = channel();
        let submitter = thread::spawn({
            let pool = pool.clone();
            move || submitted.send(pool.submit(|n: u64| n, 2)).unwrap()
        });
        assert!(second.try_recv().is_err());
        blocker.release();
        assert_eq!(first.result(HANGS).unwrap(), 1);
        assert_eq!(second.recv().unwrap().unwrap().result(HANGS).unwrap(), 2);
        submitter.join().unwrap();
    });
}

#[test]
fn a_cancel_admits_a_blocked_submit() {
    watched(|| {
        let pool = Arc::new(pool(1, 1));
        let blocker = Blocker::start(&pool);
        let first = pool.submit(|n: u64| n, 1).unwrap();
        let submitter = thread::spawn({
            let pool = pool.clone();
            move || pool.submit(|n: u64| n, 2)
        });
        assert!(first.cancel());
        let second = submitter.join().unwrap().unwrap();
        blocker.release();
        assert_eq!(second.result(HANGS).unwrap(), 2);
    });
}

#[test]
fn closing_refuses_blocked_submits() {
    for mode in [Shutdown::Drain, Shutdown::CancelPending] {
        watched(move || {
            let pool = Arc::new(pool(1, 1));
            let blocker = Blocker::start(&pool);
            let waiting = pool.submit(|n: u64| n, 1).unwrap();
            let submitters: Vec<_> = (0..4)
                .map(|_| {
                    let pool = pool.clone();
                    thread::spawn(move || pool.submit(|n: u64| n, 2).map(drop))
                })
                .collect();
            pool.close(mode);
            for submitter in submitters {
                // A submit that comes after the close returns the same error.
                assert_eq!(submitter.join().unwrap().unwrap_err().kind(), ErrorKind::ShutDown);
            }
            blocker.release();
            assert!(pool.join(None));
            assert_eq!(waiting.cancelled(), mode == Shutdown::CancelPending);
        });
    }
}

#[test]
fn a_worker_may_exceed_the_bound() {
    watched(|| {
        let pool = Arc::new(pool(1, 1));
        let inner = pool.clone();
        let sum = pool.spawn(move || {
            let futures: Vec<_> = (0..10u64).map(|n| inner.submit(|n: u64| n, n).unwrap()).collect();
            drop(inner);
            futures.into_iter().map(|future| future.result(None).unwrap()).sum::<u64>()
        });
        assert_eq!(sum.unwrap().result(HANGS).unwrap(), 45);
        // Tasks that were run inline no longer count as waiting.
        let blocker = Blocker::start(&pool);
        let _waiting = pool.try_spawn(|| ()).unwrap();
        assert_eq!(pool.try_spawn(|| ()).unwrap_err().kind(), ErrorKind::QueueFull);
        blocker.release();
    });
}

#[test]
fn the_bound_holds_for_many_submitters() {
    watched(|| {
        const EACH: u64 = 2_000;
        let pool = Arc::new(pool(2, 3));
        let submitters: Vec<_> = (0..4)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || {
                    let futures: Vec<_> = (0..EACH).map(|n| pool.submit(|n: u64| n, n).unwrap()).collect();
                    futures.into_iter().map(|future| future.result(HANGS).unwrap()).sum::<u64>()
                })
            })
            .collect();
        for submitter in submitters {
            assert_eq!(submitter.join().unwrap(), EACH * (EACH - 1) / 2);
        }
    });
}
