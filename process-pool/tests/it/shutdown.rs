//! Closing, joining and dropping a pool.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::channel,
    },
    time::Duration,
};

use executor_core::{Backend, ErrorKind, Executor, Future, Shutdown};
use process_pool::Transport;

use crate::{
    programs,
    support::{
        Blocker, DEADLINE, SharedDir, builder, children, get, kill, never_ends, on, on_both, open_descriptors, pool,
        threads, wait_for_file, wait_until, warm_up,
    },
};

#[test]
fn dropping_a_pool_runs_its_tasks() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        let futures: Vec<Future<u32>> = (0..200).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        drop(pool);
        assert!(futures.iter().all(Future::done));
        for (n, future) in futures.iter().enumerate() {
            assert_eq!(future.result(None).unwrap(), n as u32);
        }
    });
}

#[test]
fn a_pool_may_be_dropped_immediately() {
    on_both(|transport| {
        for _ in 0..5 {
            drop(pool(transport, 4));
        }
    });
}

#[test]
fn cancel_pending_cancels_waiting_tasks_and_finishes_running_ones() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let blocker = Blocker::start(&pool);
        let waiting: Vec<Future<u32>> = (0..20).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        pool.close(Shutdown::CancelPending);
        assert!(waiting.iter().all(Future::cancelled));
        assert!(blocker.future.running());
        assert!(!pool.join(Some(Duration::from_millis(5))));
        blocker.release();
        assert!(pool.join(Some(DEADLINE)));
        assert!(pool.worker_pids().is_empty());
        assert_eq!(pool.submit(|n: u32| n, 1).unwrap_err().kind(), ErrorKind::ShutDown);
        assert_eq!(pool.try_submit(|n: u32| n, 1).unwrap_err().kind(), ErrorKind::ShutDown);
    });
}

#[test]
fn terminate_stops_running_tasks() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        let running = ["a", "b"].map(|name| pool.submit(never_ends, dir.path(name)).unwrap());
        ["a", "b"].iter().for_each(|name| wait_for_file(&dir.path(name)));
        let waiting: Vec<Future<u32>> = (0..20).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        pool.shutdown(Shutdown::Terminate { grace: DEADLINE });
        assert!(waiting.iter().all(Future::cancelled));
        for future in running {
            assert_eq!(future.result(Duration::ZERO).unwrap_err().kind(), ErrorKind::Terminated);
        }
    });
}

#[test]
fn a_later_close_is_never_milder() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let running = pool.submit(never_ends, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        let waiting = pool.submit(|n: u32| n, 1).unwrap();
        pool.close(Shutdown::Drain);
        assert!(!waiting.done());
        assert_eq!(pool.submit(|n: u32| n, 1).unwrap_err().kind(), ErrorKind::ShutDown);
        pool.close(Shutdown::CancelPending);
        assert!(waiting.cancelled() && running.running());
        pool.close(Shutdown::Drain);
        pool.close(Shutdown::Terminate { grace: Duration::ZERO });
        pool.close(Shutdown::CancelPending);
        assert!(pool.join(Some(DEADLINE)));
        assert_eq!(running.result(Duration::ZERO).unwrap_err().kind(), ErrorKind::Terminated);
        pool.close(Shutdown::Terminate { grace: Duration::ZERO });
        assert!(pool.join(None));
    });
}

#[test]
fn cancelling_the_last_task_ends_a_draining_pool() {
    // Over a socket a task starts when it is sent.
    on(Transport::Ring, |transport| {
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let worker = pool.worker_pids()[0];
        kill(worker, libc::SIGSTOP);
        let last = pool.submit(|n: u32| n, 1).unwrap();
        pool.close(Shutdown::Drain);
        assert!(!pool.join(Some(Duration::from_millis(50))));
        assert!(last.cancel());
        kill(worker, libc::SIGCONT);
        assert!(pool.join(Some(DEADLINE / 2)));
    });
}

#[test]
fn many_threads_may_close_and_join_at_the_same_time() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        let blocker = Blocker::start(&pool);
        std::thread::scope(|scope| {
            for turn in 0..8 {
                let pool = &pool;
                scope.spawn(move || {
                    let mode = if turn % 2 == 0 { Shutdown::Drain } else { Shutdown::CancelPending };
                    pool.shutdown(mode);
                    assert!(pool.join(Some(Duration::ZERO)));
                });
            }
            blocker.open();
        });
        assert!(get(&blocker.future).is_ok());
    });
}

#[test]
fn a_callback_may_close_join_and_submit() {
    on_both(|transport| {
        let pool = Arc::new(pool(transport, 1));
        let blocker = Blocker::start(&pool);
        let (sender, receiver) = channel();
        let inner = pool.clone();
        blocker.future.add_done_callback(move |_| {
            let next = inner.submit(|n: u32| n + 1, 1).unwrap();
            sender.send(next.result(DEADLINE).unwrap()).unwrap();
            inner.shutdown(Shutdown::Drain);
            sender.send(0).unwrap();
        });
        blocker.open();
        assert_eq!(receiver.recv_timeout(DEADLINE), Ok(2));
        assert_eq!(receiver.recv_timeout(DEADLINE), Ok(0));
        assert!(pool.join(Some(DEADLINE)));
    });
}

#[test]
fn a_callback_may_drop_the_pool() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let blocker = Blocker::start(&pool);
        let (sender, receiver) = channel();
        blocker.future.add_done_callback(move |_| {
            drop(pool);
            sender.send(()).unwrap();
        });
        blocker.open();
        assert_eq!(receiver.recv_timeout(DEADLINE), Ok(()));
    });
}

#[test]
fn a_waker_may_close_and_join() {
    struct Closes(process_pool::ProcessPoolExecutor, AtomicUsize);
    impl std::task::Wake for Closes {
        fn wake(self: Arc<Self>) {
            self.0.shutdown(Shutdown::Drain);
            self.1.fetch_add(1, Relaxed);
        }
    }
    on_both(|transport| {
        let pool = pool(transport, 1);
        let blocker = Blocker::start(&pool);
        let closes = Arc::new(Closes(pool, AtomicUsize::new(0)));
        let waker = closes.clone().into();
        let mut awaited = std::pin::pin!(blocker.future.into_future());
        assert!(awaited.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        blocker.gate.open();
        wait_until("the waker", || closes.1.load(Relaxed) == 1);
        assert!(closes.0.join(Some(DEADLINE)));
    });
}

#[test]
fn a_waker_may_submit_to_a_full_pool() {
    struct Submits(process_pool::ProcessPoolExecutor, AtomicUsize);
    impl std::task::Wake for Submits {
        fn wake(self: Arc<Self>) {
            for n in 0..5 {
                let _future = self.0.submit(|n: u32| n, n);
            }
            self.1.fetch_add(1, Relaxed);
        }
    }
    on_both(|transport| {
        let pool = builder(transport, 1).queue_capacity(1).build().unwrap();
        let blocker = Blocker::start(&pool);
        let submits = Arc::new(Submits(pool, AtomicUsize::new(0)));
        let waker = submits.clone().into();
        let mut awaited = std::pin::pin!(blocker.future.into_future());
        assert!(awaited.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        blocker.gate.open();
        wait_until("the waker", || submits.1.load(Relaxed) == 1);
        submits.0.close(Shutdown::Drain);
        assert!(submits.0.join(Some(DEADLINE)));
    });
}

#[test]
fn a_join_with_a_time_out_does_not_wait_for_slow_callbacks() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let blocker = Blocker::start(&pool);
        let (release, released) = channel::<()>();
        let (sender, receiver) = channel();
        blocker.future.add_done_callback(move |_| {
            let _ = released.recv();
            sender.send(()).unwrap();
        });
        blocker.release();
        pool.close(Shutdown::Drain);
        wait_until("the end of the worker", || pool.worker_pids().is_empty());
        pool.join(Some(Duration::from_millis(5)));
        assert!(receiver.try_recv().is_err());
        drop(release);
        assert!(pool.join(None));
        assert!(receiver.try_recv().is_ok(), "a join without time-out waits for callbacks");
    });
}

#[test]
fn a_slow_callback_does_not_block_the_pool() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let (release, released) = channel::<()>();
        let (sender, receiver) = channel();
        let blocker = Blocker::start(&pool);
        blocker.future.add_done_callback(move |_| {
            sender.send(()).unwrap();
            let _ = released.recv();
        });
        blocker.open();
        receiver.recv_timeout(DEADLINE).unwrap();
        let lost = pool.submit(|()| -> () { std::process::abort() }, ()).unwrap();
        assert_eq!(get(&lost).unwrap_err().kind(), ErrorKind::WorkerDied);
        assert_eq!(get(&pool.submit(|n: u32| n, 1).unwrap()).unwrap(), 1);
        drop(release);
    });
}

#[test]
fn dropped_pools_leave_no_process_thread_or_descriptor() {
    programs::succeeds("leaves_nothing", &[]);
}

pub fn leaves_nothing() {
    on_both(|transport| {
        drop(pool(transport, 1));
        let mut before = (open_descriptors(), threads());
        for round in 0..15 {
            let dir = SharedDir::new();
            let pool = builder(transport, 3).max_tasks_per_worker(4).build().unwrap();
            let futures: Vec<Future<u32>> = (0..30)
                .map(|n| pool.submit(|n: u32| if n % 10 == 3 { std::process::exit(1) } else { n }, n).unwrap())
                .collect();
            futures[0].add_done_callback(|_| {});
            let stuck = pool.submit(never_ends, dir.path("stuck")).unwrap();
            if round % 3 == 0 {
                wait_for_file(&dir.path("stuck"));
            }
            match round % 3 {
                0 => {
                    pool.shutdown(Shutdown::Terminate { grace: Duration::ZERO });
                    drop(pool);
                }
                1 => {
                    stuck.terminate(Duration::ZERO);
                    drop(pool);
                }
                _ => {
                    pool.close(Shutdown::CancelPending);
                    stuck.terminate(Duration::ZERO);
                    assert!(pool.join(Some(DEADLINE)));
                    drop(pool);
                }
            }
            assert!(futures.iter().all(Future::done));
            assert!(children().is_empty(), "in round {round}");
            // A thread is in the list for a moment after it was joined, and no event tells when it is removed. So there
            // may be fewer than before, and from then on there may be no more than that.
            let what = format!("the resources of before, {before:?}, in round {round}");
            wait_until(&what, || {
                let now = (open_descriptors(), threads());
                let is_no_more = now.0 <= before.0 && now.1 <= before.1;
                if is_no_more {
                    before = now;
                }
                is_no_more
            });
        }
    });
}
