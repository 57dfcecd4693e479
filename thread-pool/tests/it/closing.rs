//! Closing, joining and dropping: from outside, from tasks, from callbacks, and in races.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use executor_core::{Backend, ErrorKind, Executor, Shutdown, TaskOptions, task};
use thread_pool::ThreadPoolExecutor;

use crate::support::{Blocker, HANGS, watched};

#[test]
fn cancel_pending_cancels_waiting_tasks_immediately_and_finishes_running_ones() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let blocker = Blocker::start(&pool);
        let waiting: Vec<_> = [-1, 0, 0, 1]
            .map(|priority| pool.submit_with(TaskOptions::new().priority(priority), |n: u64| n, 1).unwrap())
            .into_iter()
            .collect();
        pool.close(Shutdown::CancelPending);
        assert!(waiting.iter().all(|future| future.done() && future.cancelled()));
        assert!(blocker.future.running());
        assert!(!pool.join(Duration::ZERO.into()));
        blocker.release();
        assert!(pool.join(None));
    });
}

#[test]
fn a_second_close_can_only_be_stricter() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let blocker = Blocker::start(&pool);
        let waiting = pool.submit(|n: u64| n, 1).unwrap();
        pool.close(Shutdown::Drain);
        assert!(!waiting.done());
        pool.close(Shutdown::CancelPending);
        assert!(waiting.cancelled());
        pool.close(Shutdown::Drain);
        blocker.release();
        assert!(pool.join(None));
    });
}

#[test]
fn terminate_asks_running_tasks_to_stop() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let in_task = barrier.clone();
        let future = pool
            .spawn(move || {
                in_task.wait();
                let context = task::current().unwrap();
                while !context.is_cancelled() {
                    thread::yield_now();
                }
                task::current().unwrap().is_cancelled()
            })
            .unwrap();
        barrier.wait();
        pool.shutdown(Shutdown::Terminate { grace: Duration::ZERO });
        assert!(future.result(HANGS).unwrap());
    });
}

#[test]
fn a_single_task_can_be_asked_to_stop() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let (running, runs) = channel();
        let future = pool
            .spawn(move || {
                running.send(()).unwrap();
                while !task::current().unwrap().is_cancelled() {
                    thread::yield_now();
                }
            })
            .unwrap();
        runs.recv().unwrap();
        assert!(!future.terminate(Duration::ZERO));
        future.result(HANGS).unwrap();
        assert!(!pool.spawn(|| task::current().unwrap().is_cancelled()).unwrap().result(HANGS).unwrap());
    });
}

#[test]
fn a_task_may_close_and_join_its_own_pool() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
        let inner = pool.clone();
        let future = pool
            .spawn(move || {
                inner.shutdown(Shutdown::Drain);
                inner.join(None)
            })
            .unwrap();
        assert!(!future.result(HANGS).unwrap());
        assert!(pool.join(None));
    });
}

#[test]
fn a_callback_may_close_and_join_its_own_pool() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
        let blocker = Blocker::start(&pool);
        let (inner, (joined, has_joined)) = (pool.clone(), channel());
        blocker.future.add_done_callback(move |_| {
            inner.shutdown(Shutdown::Drain);
            joined.send(inner.join(None)).unwrap();
        });
        blocker.release();
        assert!(!has_joined.recv().unwrap());
        assert!(pool.join(None));
    });
}

#[test]
fn a_pool_that_its_own_task_drops_still_drains() {
    watched(|| {
        let ran = Arc::new(AtomicUsize::new(0));
        let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
        let blocker = Blocker::start(&pool);
        let handle = pool.handle().unwrap();
        let (inner, (dropped, was_dropped)) = (pool.clone(), channel());
        let (go, may_go) = channel::<()>();
        drop(
            pool.spawn(move || {
                may_go.recv().unwrap();
                drop(inner);
                dropped.send(()).unwrap();
            })
            .unwrap(),
        );
        for _ in 0..100 {
            let ran = ran.clone();
            drop(pool.spawn(move || ran.fetch_add(1, SeqCst)).unwrap());
        }
        drop(pool);
        go.send(()).unwrap();
        was_dropped.recv().unwrap();
        assert_eq!(handle.submit(|()| (), ()).unwrap_err().kind(), ErrorKind::ShutDown);
        blocker.release();
        assert!(handle.join(None));
        assert_eq!(ran.load(SeqCst), 100);
    });
}

#[test]
fn a_callback_that_a_close_runs_may_drop_the_pool() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
        let handle = pool.handle().unwrap();
        let blocker = Blocker::start(&pool);
        let waiting = pool.submit(|n: u64| n, 1).unwrap();
        let release = std::sync::Mutex::new(Some((pool, blocker)));
        waiting.add_done_callback(move |waiting| {
            assert!(waiting.cancelled());
            let (pool, blocker) = release.lock().unwrap().take().unwrap();
            blocker.release();
            drop(pool);
        });
        handle.close(Shutdown::CancelPending);
        assert!(handle.join(None));
    });
}

#[test]
fn many_threads_may_close_and_join_at_the_same_time() {
    watched(|| {
        for _ in 0..50 {
            let pool = Arc::new(ThreadPoolExecutor::new(3).unwrap());
            let futures: Vec<_> = (0..50u64).map(|n| pool.submit(|n: u64| n, n).unwrap()).collect();
            let joiners: Vec<_> = (0..4)
                .map(|_| {
                    let pool = pool.clone();
                    thread::spawn(move || pool.shutdown(Shutdown::Drain))
                })
                .collect();
            joiners.into_iter().for_each(|joiner| joiner.join().unwrap());
            assert!(futures.into_iter().all(|future| future.done()));
        }
    });
}

#[test]
fn a_submit_that_races_with_a_drain_runs_or_is_refused() {
    watched(|| {
        for round in 0..300 {
            let pool = Arc::new(ThreadPoolExecutor::new(1 + round % 3).unwrap());
            let ran = Arc::new(AtomicUsize::new(0));
            let start = Arc::new(Barrier::new(3));
            let submitters: Vec<_> = (0..2)
                .map(|_| {
                    let (pool, ran, start) = (pool.clone(), ran.clone(), start.clone());
                    thread::spawn(move || {
                        start.wait();
                        let mut accepted = Vec::new();
                        loop {
                            let ran = ran.clone();
                            match pool.spawn(move || ran.fetch_add(1, SeqCst)) {
                                Ok(future) => accepted.push(future),
                                Err(error) => {
                                    assert_eq!(error.kind(), ErrorKind::ShutDown);
                                    return accepted;
                                }
                            }
                        }
                    })
                })
                .collect();
            start.wait();
            pool.shutdown(Shutdown::Drain);
            let mut accepted = 0;
            for submitter in submitters {
                for future in submitter.join().unwrap() {
                    future.result(HANGS).unwrap();
                    accepted += 1;
                }
            }
            assert_eq!(accepted, ran.load(SeqCst));
        }
    });
}

#[test]
fn a_submit_that_races_with_a_cancelling_close_runs_is_cancelled_or_is_refused() {
    watched(|| {
        for _ in 0..300 {
            let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
            let (ran, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
            let submitter = thread::spawn({
                let (pool, ran, closed) = (pool.clone(), ran.clone(), closed.clone());
                move || {
                    let mut accepted = Vec::new();
                    loop {
                        let was_closed = closed.load(SeqCst);
                        let ran = ran.clone();
                        match pool.spawn(move || ran.fetch_add(1, SeqCst)) {
                            Ok(future) => {
                                assert!(!was_closed, "accepted after the close had returned");
                                accepted.push(future);
                            }
                            Err(_) => return accepted,
                        }
                    }
                }
            });
            pool.close(Shutdown::CancelPending);
            closed.store(true, SeqCst);
            assert!(pool.join(None));
            let (mut finished, mut cancelled) = (0, 0);
            for future in submitter.join().unwrap() {
                match future.result(HANGS) {
                    Ok(_) => finished += 1,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Cancelled);
                        cancelled += 1;
                    }
                }
            }
            assert_eq!(finished, ran.load(SeqCst), "and {cancelled} were cancelled");
        }
    });
}
