//! Pools whose number of threads changes: with what there is to do, or by `resize`.

use std::{
    cell::Cell,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use executor_core::{Backend, ErrorKind, Executor, Shutdown, TaskOptions};
use thread_pool::{ThreadPoolBuilder, ThreadPoolExecutor};

use crate::support::{HANGS as DEADLINE, wait_until, watched};

/// A time that no test waits for.
const LONG: Duration = Duration::from_secs(3600);

fn breathing(least: usize, most: usize, idle: Duration) -> ThreadPoolBuilder {
    ThreadPoolExecutor::builder().min_workers(least).max_workers(most).idle_timeout(idle)
}

/// Counts the threads of a pool by its initializer and the destructor of a thread local.
struct Threads {
    live: AtomicUsize,
    started: AtomicUsize,
}

struct Counted(&'static Threads);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, SeqCst);
    }
}

impl Threads {
    const fn new() -> Threads {
        Threads { live: AtomicUsize::new(0), started: AtomicUsize::new(0) }
    }

    /// The initializer of a pool whose threads are counted calls this.
    fn begin(&'static self) {
        thread_local!(static COUNTED: Cell<Option<Counted>> = const { Cell::new(None) });
        self.live.fetch_add(1, SeqCst);
        self.started.fetch_add(1, SeqCst);
        COUNTED.set(Some(Counted(self)));
    }

    fn live(&self) -> usize {
        self.live.load(SeqCst)
    }

    fn started(&self) -> usize {
        self.started.load(SeqCst)
    }
}

/// Runs this number of tasks, which must all run at the same time.
fn run_together(pool: &ThreadPoolExecutor, tasks: usize) {
    let barrier = Arc::new(Barrier::new(tasks));
    let futures: Vec<_> = (0..tasks)
        .map(|_| {
            let barrier = barrier.clone();
            pool.spawn(move || barrier.wait().is_leader()).unwrap()
        })
        .collect();
    assert!(futures.iter().all(|future| future.result(DEADLINE).is_ok()));
}

fn run_many(pool: &ThreadPoolExecutor, tasks: u64) {
    let futures: Vec<_> = (0..tasks).map(|n| pool.spawn(move || n + 1).unwrap()).collect();
    assert!((1..).zip(&futures).all(|(n, future)| future.result(DEADLINE).unwrap() == n));
}

#[test]
fn threads_come_when_tasks_find_none_idle_and_go_when_they_are_idle() {
    watched(|| {
        static THREADS: Threads = Threads::new();
        let pool = breathing(2, 5, Duration::from_millis(20)).initializer(|()| THREADS.begin(), ()).build().unwrap();
        assert_eq!(pool.max_workers(), 5);
        wait_until("the first threads", || THREADS.live() == 2);
        for _ in 0..3 {
            run_together(&pool, 5);
            run_many(&pool, 200);
            wait_until("the threads that are kept", || THREADS.live() == 2);
            assert!(pool.wait_idle());
        }
        assert!(THREADS.started() >= 2 + 3 * 3);
        run_together(&pool, 5);
        drop(pool);
        // A thread that has left before may still be running the destructor.
        wait_until("the end of every thread", || THREADS.live() == 0);
    });
}

#[test]
fn tasks_that_tasks_submit_get_threads_too() {
    watched(|| {
        let pool = Arc::new(breathing(1, 3, LONG).build().unwrap());
        let barrier = Arc::new(Barrier::new(3));
        let outer = pool.spawn({
            let (pool, barrier) = (pool.clone(), barrier.clone());
            move || {
                let nested: Vec<_> = (0..2)
                    .map(|_| {
                        let barrier = barrier.clone();
                        pool.spawn(move || barrier.wait().is_leader()).unwrap()
                    })
                    .collect();
                // This blocks its thread by other means than the pool's.
                barrier.wait();
                nested
            }
        });
        assert!(outer.unwrap().result(DEADLINE).unwrap().iter().all(|future| future.result(DEADLINE).is_ok()));
        let barrier = Barrier::new(3);
        pool.scope(|scope| {
            for _ in 0..3 {
                let _ = scope.spawn(|| barrier.wait());
            }
        });
    });
}

#[test]
fn nothing_is_lost_while_threads_come_and_go() {
    watched(|| {
        let pool = breathing(1, 4, Duration::from_nanos(1)).build().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..200).for_each(|round| run_many(&pool, 1 + round % 7)));
            }
        });
        for round in 0..200 {
            run_together(&pool, 1 + round % 4);
        }
        assert!(pool.wait_idle());
        assert_eq!(pool.map(|n: u64| n, 0..1000).unwrap().map(|n| n.unwrap()).sum::<u64>(), 499_500);
        let last = pool.spawn(|| 7).unwrap();
        pool.shutdown(Shutdown::Drain);
        assert_eq!(last.result(None).unwrap(), 7);
    });
}

#[test]
fn a_pool_becomes_wider_than_it_was_built_and_narrower() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        for width in [2, 3, 9, 4, 33, 1, 2] {
            pool.resize(width).unwrap();
            assert_eq!(pool.max_workers(), width);
            run_together(&pool, width);
            run_many(&pool, 100);
        }
    });
}

#[test]
fn a_narrower_pool_runs_no_more_tasks_at_the_same_time() {
    watched(|| {
        static THREADS: Threads = Threads::new();
        let pool = ThreadPoolExecutor::builder().max_workers(4).initializer(|()| THREADS.begin(), ()).build().unwrap();
        run_together(&pool, 4);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (begun, barrier) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(5)));
        let blocked: Vec<_> = (0..4)
            .map(|_| {
                let (begun, barrier) = (begun.clone(), barrier.clone());
                pool.spawn(move || {
                    begun.fetch_add(1, SeqCst);
                    barrier.wait();
                })
                .unwrap()
            })
            .collect();
        wait_until("all four", || begun.load(SeqCst) == 4);
        pool.resize(2).unwrap();
        let waiting: Vec<_> = (0..500)
            .map(|_| {
                let (running, most) = (running.clone(), most.clone());
                pool.spawn(move || {
                    most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, SeqCst);
                })
                .unwrap()
            })
            .collect();
        barrier.wait();
        assert!(blocked.iter().chain(&waiting).all(|future| future.result(DEADLINE).is_ok()));
        // The two that are too many notice after at most 32 tasks each, or when they have no task.
        wait_until("the end of two threads", || THREADS.live() == 2);
        most.store(0, SeqCst);
        let later: Vec<_> = (0..100)
            .map(|_| {
                let (running, most) = (running.clone(), most.clone());
                pool.spawn(move || {
                    most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, SeqCst);
                })
                .unwrap()
            })
            .collect();
        assert!(later.iter().all(|future| future.result(DEADLINE).is_ok()));
        assert!(most.load(SeqCst) <= 2);
    });
}

#[test]
fn tasks_in_the_queue_of_a_thread_that_leaves_run_on_others() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..20 {
            pool.resize(2).unwrap();
            let submits = pool.spawn({
                let (pool, done) = (pool.clone(), done.clone());
                move || {
                    for priority in [0, 0, 0, -1, 1] {
                        let done = done.clone();
                        let options = TaskOptions::new().priority(priority);
                        drop(pool.spawn_with(options, move || done.fetch_add(1, SeqCst)).unwrap());
                    }
                    pool.resize(1).unwrap();
                }
            });
            submits.unwrap().result(DEADLINE).unwrap();
            assert!(pool.wait_idle());
        }
        assert_eq!(done.load(SeqCst), 100);
    });
}

#[test]
fn resizing_loses_nothing_while_many_threads_submit() {
    watched(|| {
        let pool = ThreadPoolExecutor::builder().max_workers(2).queue_capacity(20).build().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..200).for_each(|round| run_many(&pool, 1 + round % 9)));
            }
            for width in [1, 4, 2, 6, 1, 3].into_iter().cycle().take(200) {
                pool.resize(width).unwrap();
            }
        });
        assert!(pool.wait_idle());
        let future = pool.spawn(|| 1).unwrap();
        drop(pool);
        assert_eq!(future.result(None).unwrap(), 1);
    });
}

#[test]
fn a_pool_that_is_closed_while_it_is_resized_ends() {
    watched(|| {
        for round in 0..100 {
            let pool = breathing(1, 3, Duration::from_nanos(1)).build().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    (0..).take_while(|n| pool.resize(1 + (round + n) % 5).is_ok()).count();
                });
                scope.spawn(|| (0_u64..).take_while(|_| pool.spawn(|| ()).is_ok()).count());
                if round % 2 == 0 {
                    run_many(&pool, 10);
                }
                pool.close(if round % 3 == 0 { Shutdown::CancelPending } else { Shutdown::Drain });
                assert!(pool.join(Some(DEADLINE)));
            });
        }
    });
}

#[test]
fn widths_that_cannot_be_are_refused() {
    let pool = ThreadPoolExecutor::new(2).unwrap();
    for workers in [0, 32_768, usize::MAX] {
        let error = pool.resize(workers).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(&format!("to {workers} workers")), "{error}");
    }
    assert_eq!(pool.max_workers(), 2);
    pool.close(Shutdown::Drain);
    assert_eq!(pool.resize(3).unwrap_err().kind(), ErrorKind::ShutDown);

    let builder = || ThreadPoolExecutor::builder().max_workers(2);
    let cases = [
        (builder().min_workers(0), "min_workers must be greater than 0"),
        (builder().min_workers(3), "min_workers must be at most max_workers, which is 2, and not 3"),
        (builder().idle_timeout(LONG), "idle_timeout has no effect without min_workers"),
    ];
    for (builder, text) in cases {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(text), "{error}");
    }
    // A time-out that never ends is one.
    drop(breathing(1, 2, Duration::MAX).build().unwrap());
}

#[test]
fn a_later_thread_whose_initializer_panics_breaks_the_pool() {
    static STARTS: AtomicUsize = AtomicUsize::new(0);
    let pool = breathing(1, 2, LONG)
        .initializer(|()| assert_eq!(STARTS.fetch_add(1, SeqCst), 0, "not a second time"), ())
        .build()
        .unwrap();
    // A task that finds the first thread still starting would get a second one, which breaks the pool too early.
    assert!(pool.wait_idle());
    let barrier = Arc::new(Barrier::new(2));
    let blocked = pool.spawn({
        let barrier = barrier.clone();
        move || barrier.wait().is_leader()
    });
    let waiting = pool.spawn(|| ());
    wait_until("the refusal of tasks", || pool.spawn(|| ()).is_err());
    barrier.wait();
    blocked.unwrap().result(DEADLINE).unwrap();
    drop(waiting);
    assert_eq!(pool.resize(3).unwrap_err().kind(), ErrorKind::Broken);
}
