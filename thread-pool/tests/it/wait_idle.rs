//! Waiting until a pool has nothing to do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::channel,
    },
    thread,
};

use executor_core::{Backend, Executor, Shutdown};
use thread_pool::ThreadPoolExecutor;

use crate::support::{Blocker, HANGS, watched};

#[test]
fn it_waits_for_queued_and_nested_tasks_and_their_callbacks() {
    for workers in [1, 3] {
        watched(move || {
            let pool = Arc::new(ThreadPoolExecutor::new(workers).unwrap());
            let ended = Arc::new(AtomicUsize::new(0));
            for round in 1..=100 {
                for _ in 0..4 {
                    let (inner, ended) = (pool.clone(), ended.clone());
                    let outer = pool
                        .spawn(move || {
                            let counted = ended.clone();
                            let nested = inner.spawn(|| ()).unwrap();
                            nested.add_done_callback(move |_| {
                                counted.fetch_add(1, SeqCst);
                            });
                            ended.fetch_add(1, SeqCst);
                        })
                        .unwrap();
                    drop(outer);
                }
                assert!(pool.wait_idle());
                assert_eq!(ended.load(SeqCst), 8 * round);
            }
        });
    }
}

#[test]
fn it_returns_only_after_a_running_task_has_ended() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
        assert!(pool.wait_idle(), "a pool is idle before its first task");
        let blocker = Blocker::start(&*pool);
        let (send, returned) = channel();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let (pool, send, blocked) = (pool.clone(), send.clone(), blocker.future.id());
                thread::spawn(move || send.send((pool.wait_idle(), blocked)).unwrap())
            })
            .collect();
        pool.spawn(|| ()).unwrap().result(HANGS).unwrap();
        assert!(returned.try_recv().is_err(), "one task still runs");
        blocker.release();
        for waiter in waiters {
            waiter.join().unwrap();
            assert!(returned.recv().unwrap().0);
        }
    });
}

#[test]
fn a_task_cannot_wait_for_the_end_of_all_tasks() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
        let inner = pool.clone();
        assert!(!pool.spawn(move || inner.wait_idle()).unwrap().result(HANGS).unwrap());
    });
}

#[test]
fn it_ends_with_a_pool_that_is_closed_meanwhile() {
    for mode in [Shutdown::Drain, Shutdown::CancelPending] {
        watched(move || {
            let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
            let blocker = Blocker::start(&*pool);
            let waiter = {
                let pool = pool.clone();
                thread::spawn(move || pool.wait_idle())
            };
            pool.close(mode);
            blocker.release();
            assert!(waiter.join().unwrap());
            pool.shutdown(mode);
            assert!(pool.wait_idle());
        });
    }
}
