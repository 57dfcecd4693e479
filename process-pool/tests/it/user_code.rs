//! User code that a pool runs (wakers, callbacks, `Drop` of results) may block other user code and nothing else.

use std::{
    future::{Future as _, IntoFuture},
    pin::Pin,
    sync::{
        Arc, Barrier, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use executor_core::{Awaited, Backend as _, ErrorKind, Executor, Shutdown, TaskOptions, wait};
use process_pool::{ProcessPoolExecutor, Transport};
use serde::{Deserialize, Serialize};

use crate::{
    support::{Blocker, DEADLINE, SharedDir, get, kill, never_ends, on_both, pool, wait_until, warm_up},
    world::{end_at_the_deadline, scarcity},
};

/// A waker that runs a function once.
struct Runs(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Runs {
    fn wake(self: Arc<Self>) {
        let code = self.0.lock().expect("no panic").take();
        code.into_iter().for_each(|code| code());
    }
}

/// Polls a future that is not ready, with a waker that runs `code`.
fn when_ready<T: Send + 'static>(awaited: &mut Awaited<T>, code: impl FnOnce() + Send + 'static) {
    let waker = Waker::from(Arc::new(Runs(Mutex::new(Some(Box::new(code))))));
    let poll = Pin::new(awaited).poll(&mut Context::from_waker(&waker));
    assert!(matches!(poll, Poll::Pending));
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_string()
}

/// Makes the supervisor do all of its work.
fn works(pool: &ProcessPoolExecutor, dir: &SharedDir, round: &str) {
    for n in 0..20 {
        assert_eq!(get(&pool.submit(|n: u32| n + 1, n).unwrap()).unwrap(), n + 1);
    }
    let error = get(&pool.submit(|()| -> u32 { std::process::abort() }, ()).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WorkerDied);
    let limited = TaskOptions::new().time_limit(Duration::from_millis(50));
    let future = pool.submit_with(limited, never_ends, dir.path(round)).unwrap();
    assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::TimeLimit);
    let results = wait([pool.submit(|n: u32| n, 1).unwrap()], DEADLINE, executor_core::ReturnWhen::AllCompleted);
    assert_eq!(results.done.len(), 1);
}

#[test]
fn a_waker_may_wait_for_its_own_pool() {
    on_both(|transport| {
        let pool = Arc::new(pool(transport, 1));
        for round in 0..5 {
            let blocker = Blocker::start(&pool);
            let mut awaited = pool.submit(|n: u32| n + 1, round).unwrap().into_future();
            let (sender, receiver) = channel();
            let inner = pool.clone();
            when_ready(&mut awaited, move || {
                let result = get(&inner.submit(|n: u32| n * 2, 21).unwrap());
                let _ = sender.send((result.unwrap(), thread_name()));
            });
            blocker.release();
            let (result, thread) = receiver.recv_timeout(DEADLINE).expect("the waker gets its result");
            assert_eq!(result, 42);
            assert!(!thread.contains("supervisor"), "{thread}");
        }
    });
}

#[test]
fn user_code_that_blocks_does_not_block_the_pool() {
    type Waits = fn(&ProcessPoolExecutor, Receiver<()>, Sender<String>);
    let as_waker: Waits = |pool, release, sender| {
        let blockers = [(); 2].map(|()| Blocker::start(pool));
        let mut awaited = pool.submit(|n: u32| n, 1).unwrap().into_future();
        when_ready(&mut awaited, move || {
            let _ = sender.send(thread_name());
            let _ = release.recv_timeout(DEADLINE);
        });
        blockers.into_iter().for_each(Blocker::release);
        // Dropping it would take the waker out of the list if it is still there.
        static AWAITED: Mutex<Vec<Awaited<u32>>> = Mutex::new(Vec::new());
        AWAITED.lock().unwrap().push(awaited);
    };
    let as_callback: Waits = |pool, release, sender| {
        let blocker = Blocker::start(pool);
        blocker.future.add_done_callback(move |_| {
            let _ = sender.send(thread_name());
            let _ = release.recv_timeout(DEADLINE);
        });
        blocker.release();
    };
    static CASES: Mutex<Vec<Waits>> = Mutex::new(Vec::new());
    *CASES.lock().unwrap() = vec![as_waker, as_callback];
    on_both(|transport| {
        for (round, waits) in CASES.lock().unwrap().iter().enumerate() {
            let dir = SharedDir::new();
            let pool = pool(transport, 2);
            warm_up(&pool, 2);
            let (release, released) = channel();
            let (sender, receiver) = channel();
            waits(&pool, released, sender);
            let thread = receiver.recv_timeout(DEADLINE).expect("it runs");
            assert!(!thread.contains("supervisor"), "{thread}");
            works(&pool, &dir, &format!("round{round}"));
            // The drop waits for the user code, which ends only now.
            release.send(()).expect("it waits");
            drop(pool);
        }
    });
}

#[test]
fn a_waker_is_not_run_by_a_thread_that_waits_for_another_task() {
    on_both(|transport| {
        let pool = Arc::new(pool(transport, 1));
        warm_up(&pool, 1);
        for _ in 0..50 {
            let blocker = Blocker::start(&pool);
            let mut awaited = pool.submit(|n: u32| n, 1).unwrap().into_future();
            let (sender, receiver) = channel();
            when_ready(&mut awaited, move || drop(sender.send(thread_name())));
            let behind = pool.submit(|n: u32| n, 2).unwrap();
            let barrier = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    barrier.wait();
                    get(&behind).unwrap();
                });
                barrier.wait();
                blocker.open();
            });
            assert!(receiver.recv_timeout(DEADLINE).unwrap().ends_with("-callbacks"));
        }
    });
}

static DROPPED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[derive(Serialize, Deserialize)]
struct Noisy(u32);

impl Drop for Noisy {
    fn drop(&mut self) {
        DROPPED.lock().unwrap().push(thread_name());
    }
}

#[test]
fn results_are_not_dropped_by_the_supervisor() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        for n in 0..2000 {
            let future = pool.submit(Noisy, n).unwrap();
            // The result is not moved out, so any thread may drop it.
            assert!(future.exception(DEADLINE).unwrap().is_none());
        }
        drop(pool);
        let dropped = std::mem::take(&mut *DROPPED.lock().unwrap());
        assert!(dropped.iter().all(|thread| !thread.contains("supervisor")), "{dropped:?}");
    });
}

#[test]
fn callbacks_without_a_thread_run_later_and_not_on_the_supervisor() {
    let output = scarcity::as_no_root("has_no_thread_for_callbacks").output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{text}", output.status);
}

pub fn has_no_thread_for_callbacks() {
    end_at_the_deadline();
    for transport in [Transport::Ring, Transport::Socket] {
        for is_lifted in [true, false] {
            let pool = pool(transport, 1);
            warm_up(&pool, 1);
            let blocker = Blocker::start(&pool);
            let (sender, receiver) = channel();
            let waker_sender = sender.clone();
            blocker.future.add_done_callback(move |_| drop(sender.send(thread_name())));
            let mut awaited = pool.submit(|n: u32| n, 1).unwrap().into_future();
            when_ready(&mut awaited, move || drop(waker_sender.send(thread_name())));
            let no_more = scarcity::no_more_threads();
            blocker.open();
            wait_until("the result", || blocker.future.done());
            assert!(receiver.recv_timeout(Duration::from_millis(300)).is_err(), "there is no thread for it");
            let expected = if is_lifted {
                drop(no_more);
                "-callbacks".to_string()
            } else {
                pool.shutdown(Shutdown::Drain);
                drop(no_more);
                thread_name()
            };
            for _ in 0..2 {
                let thread = receiver.recv_timeout(DEADLINE).expect("it runs");
                assert!(thread.ends_with(&expected), "{thread}");
            }
        }
    }
}

#[test]
fn a_pool_is_dropped_by_a_waker_of_its_own() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let blocker = Blocker::start(&pool);
        let mut awaited = pool.submit(|n: u32| n, 1).unwrap().into_future();
        let worker = pool.worker_pids()[0];
        let (over, is_over) = channel();
        when_ready(&mut awaited, move || {
            pool.close(Shutdown::Drain);
            drop(pool);
            let _ = over.send(());
        });
        blocker.release();
        is_over.recv_timeout(DEADLINE).expect("it does not wait for itself");
        wait_until("the end of the worker", || !crate::support::is_alive(worker));
        kill(worker, 0);
    });
}
