//! Stale tasks are removed from the queues while other threads use them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::channel,
    },
    thread,
};

use executor_core::{Backend, Future, Shutdown};
use thread_pool::ThreadPoolExecutor;

use crate::support::{Blocker, HANGS, watched};

/// Submits tasks that submit others, and cancels most of them, so that stale tasks are removed all the time.
fn cancel_most(pool: &Arc<ThreadPoolExecutor>, ran: &Arc<AtomicUsize>, seed: usize) -> (usize, Vec<Future<()>>) {
    let (mut cancelled, mut left) = (0, Vec::new());
    for round in 0..40 {
        let (hand_over, handed_over) = channel();
        let nested = {
            let (pool, ran) = (pool.clone(), ran.clone());
            move || {
                for _ in 0..150 {
                    let ran = ran.clone();
                    let task = move || {
                        ran.fetch_add(1, SeqCst);
                    };
                    if let Ok(future) = pool.spawn(task) {
                        let _ = hand_over.send(future);
                    }
                }
            }
        };
        let outer = pool.spawn(nested);
        let futures: Vec<Future<()>> = match outer {
            Ok(_) => handed_over.iter().collect(),
            Err(_) => break,
        };
        for (index, future) in futures.into_iter().enumerate() {
            if (index + seed + round) % 8 == 0 {
                left.push(future);
            } else if future.cancel() {
                cancelled += 1;
            } else {
                left.push(future);
            }
        }
    }
    (cancelled, left)
}

#[test]
fn no_task_is_lost_or_run_twice_while_stale_tasks_are_removed() {
    for workers in [1, 2, 4] {
        watched(move || {
            let pool = Arc::new(ThreadPoolExecutor::new(workers).unwrap());
            let ran = Arc::new(AtomicUsize::new(0));
            let threads: Vec<_> = (0..3)
                .map(|seed| {
                    let (pool, ran) = (pool.clone(), ran.clone());
                    thread::spawn(move || cancel_most(&pool, &ran, seed))
                })
                .collect();
            let mut waited_for = 0;
            for thread in threads {
                let (cancelled, left) = thread.join().unwrap();
                assert_eq!(cancelled + left.len(), 40 * 150);
                waited_for += left.len();
                left.into_iter().for_each(|future| future.result(HANGS).unwrap());
            }
            assert_eq!(ran.load(SeqCst), waited_for);
        });
    }
}

#[test]
fn tasks_run_or_are_cancelled_if_the_pool_is_closed_while_stale_tasks_are_removed() {
    for mode in [Shutdown::Drain, Shutdown::CancelPending] {
        for workers in [1, 3] {
            watched(move || {
                for _ in 0..20 {
                    let pool = Arc::new(ThreadPoolExecutor::new(workers).unwrap());
                    let ran = Arc::new(AtomicUsize::new(0));
                    let cancels = thread::spawn({
                        let (pool, ran) = (pool.clone(), ran.clone());
                        move || cancel_most(&pool, &ran, 0)
                    });
                    while ran.load(SeqCst) < 100 {
                        thread::yield_now();
                    }
                    pool.close(mode);
                    let (_, left) = cancels.join().unwrap();
                    assert!(pool.join(None));
                    let cancelled = left.iter().filter(|future| future.cancelled()).count();
                    assert!(left.iter().all(Future::done));
                    assert!(mode != Shutdown::Drain || cancelled == 0);
                    assert_eq!(ran.load(SeqCst), left.len() - cancelled);
                }
            });
        }
    }
}

/// One worker has the tasks in its own queue and is blocked in a task that waits for one of them. The others sleep.
#[test]
fn a_task_that_moves_out_of_the_queue_of_a_blocked_worker_wakes_another_worker() {
    watched(|| {
        for _ in 0..20 {
            let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
            let blocker = Blocker::start(&pool);
            let (hand_over, handed_over) = channel();
            let inside = pool.clone();
            let waits = pool.spawn(move || {
                let (ran, runs) = channel();
                let futures: Vec<_> = (0..200).map(|_| inside.spawn(|| ()).unwrap()).collect();
                drop(inside.spawn(move || ran.send(()).unwrap()).unwrap());
                drop(inside);
                hand_over.send(futures).unwrap();
                runs.recv_timeout(HANGS).unwrap();
            });
            let futures = handed_over.recv().unwrap();
            let canceller = thread::spawn(move || futures.iter().filter(|future| future.cancel()).count());
            blocker.release();
            waits.unwrap().result(HANGS).unwrap();
            canceller.join().unwrap();
        }
    });
}
