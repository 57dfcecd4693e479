//! Pools whose number of workers changes: with what there is to do, or by `resize`.

use std::time::Duration;

use executor_core::{Backend, ErrorKind, Executor, Shutdown};
use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};

use crate::support::{Blocker, SharedDir, add_line, builder, get, kill, on_both, wait_until, warm_up};

/// A time that no test waits for.
const LONG: Duration = Duration::from_secs(3600);

fn breathing(transport: Transport, least: usize, most: usize, idle: Duration) -> ProcessPoolBuilder {
    builder(transport, most).min_workers(least).idle_timeout(idle)
}

fn workers(pool: &ProcessPoolExecutor) -> usize {
    pool.stats().workers
}

fn runs_many(pool: &ProcessPoolExecutor, count: u32) {
    let futures: Vec<_> = (0..count).map(|n| pool.submit(|n: u32| n + 1, n).unwrap()).collect();
    for (n, future) in (0..).zip(&futures) {
        assert_eq!(get(future).unwrap(), n + 1);
    }
}

#[test]
fn a_worker_is_started_when_a_task_finds_none_idle() {
    on_both(|transport| {
        let pool = breathing(transport, 1, 3, LONG).build().unwrap();
        assert_eq!((pool.max_workers(), workers(&pool)), (3, 1));
        let blockers: Vec<Blocker> = (0..3).map(|_| Blocker::start(&pool)).collect();
        // There is no fourth.
        let waits = pool.submit(|n: u32| n, 4).unwrap();
        assert_eq!((workers(&pool), pool.stats().queued), (3, 1));
        blockers.into_iter().for_each(Blocker::release);
        assert_eq!(get(&waits).unwrap(), 4);
        assert_eq!((pool.stats().restarts, pool.stats().deaths), (0, 0));
    });
}

#[test]
fn idle_workers_leave_until_the_least_number_is_left() {
    on_both(|transport| {
        for least in [0, 1, 2] {
            let pool = breathing(transport, least, 3, Duration::from_millis(20)).build().unwrap();
            for _ in 0..2 {
                warm_up(&pool, 3);
                wait_until("the workers that are kept", || workers(&pool) == least);
                runs_many(&pool, 20);
            }
            assert_eq!((pool.stats().restarts, pool.stats().deaths), (0, 0));
        }
    });
}

#[test]
fn a_pool_that_keeps_no_worker_starts_one_for_each_task_that_needs_it() {
    on_both(|transport| {
        let pool = breathing(transport, 0, 2, LONG).build().unwrap();
        assert!(pool.worker_pids().is_empty());
        runs_many(&pool, 1);
        assert_eq!(workers(&pool), 1);
        drop(pool);
        // It also ends without ever having had one, and with a task that no worker has by then.
        drop(breathing(transport, 0, 2, LONG).build().unwrap());
        let pool = breathing(transport, 0, 2, LONG).build().unwrap();
        let last = pool.submit(|n: u32| n, 7).unwrap();
        pool.shutdown(Shutdown::Drain);
        assert_eq!(get(&last).unwrap(), 7);
    });
}

#[test]
fn nothing_is_lost_while_workers_come_and_go() {
    on_both(|transport| {
        let pool = breathing(transport, 0, 4, Duration::from_millis(1)).max_tasks_per_worker(50).build().unwrap();
        for round in 0..30 {
            runs_many(&pool, 1 + 13 * round % 100);
            if round % 3 == 0 {
                // The next task meets workers that are just leaving.
                wait_until("a worker that leaves", || workers(&pool) < 4);
            }
        }
        let squares = pool.map(|n: u64| n * n, 0..1000).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        assert!((0..1000).map(|n: u64| n * n).eq(squares));
        assert_eq!(pool.stats().deaths, 0);
    });
}

#[test]
fn a_worker_that_dies_is_replaced_as_far_as_the_pool_needs_it() {
    on_both(|transport| {
        let pool = breathing(transport, 1, 3, LONG).build().unwrap();
        warm_up(&pool, 3);
        pool.worker_pids().into_iter().for_each(|pid| kill(pid, libc::SIGKILL));
        wait_until("the deaths", || pool.stats().deaths == 3);
        wait_until("one worker", || workers(&pool) == 1);
        warm_up(&pool, 3);
        assert_eq!(workers(&pool), 3);
    });
}

#[test]
fn later_workers_are_initialized_and_those_that_fail_do_not_break_the_pool() {
    fn may_fail(path: String) {
        add_line(&path, std::process::id());
        assert!(!std::path::Path::new(&format!("{path}.fail")).exists(), "not today");
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = breathing(transport, 1, 3, LONG).initializer(may_fail, dir.path("starts")).build().unwrap();
        let first = Blocker::start(&pool);
        dir.touch("starts.fail");
        let waits: Vec<_> = (0..5).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        wait_until("some failures", || dir.lines("starts").len() > 3);
        std::fs::remove_file(dir.path("starts.fail")).unwrap();
        for (n, future) in (0..).zip(&waits) {
            assert_eq!(get(future).unwrap(), n);
        }
        first.release();
        let started = dir.lines("starts").len();
        warm_up(&pool, 3);
        assert!(dir.lines("starts").len() >= started && workers(&pool) == 3);
    });
}

#[test]
fn a_pool_becomes_wider_than_it_was_built() {
    on_both(|transport| {
        let pool = builder(transport, 1).build().unwrap();
        for width in [3, 5, 2, 9] {
            pool.resize(width).unwrap();
            assert_eq!(pool.max_workers(), width);
            warm_up(&pool, width);
            wait_until("the workers", || workers(&pool) == width);
        }
        assert_eq!((pool.stats().restarts, pool.stats().deaths), (0, 0));
        let names: Vec<String> = (0..9).map(|n| format!("_{n} (process")).collect();
        let text = format!("{pool:?}");
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    });
}

#[test]
fn running_tasks_end_on_workers_that_are_too_many() {
    on_both(|transport| {
        let pool = builder(transport, 3).build().unwrap();
        let blockers: Vec<Blocker> = (0..3).map(|_| Blocker::start(&pool)).collect();
        let waits: Vec<_> = (0..20).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        pool.resize(1).unwrap();
        assert!(blockers.iter().all(|blocker| blocker.future.running()));
        // The two that are too many leave, and the third one runs what waits.
        blockers.into_iter().for_each(Blocker::release);
        for (n, future) in (0..).zip(&waits) {
            assert_eq!(get(future).unwrap(), n);
        }
        wait_until("one worker", || workers(&pool) == 1);
        assert_eq!(pool.stats().deaths, 0);
        // The width returns while workers are leaving.
        pool.resize(4).unwrap();
        pool.resize(2).unwrap();
        pool.resize(3).unwrap();
        warm_up(&pool, 3);
    });
}

#[test]
fn resizing_loses_nothing_while_many_threads_submit() {
    on_both(|transport| {
        for limit in [None, Some(7)] {
            let builder = builder(transport, 2).queue_capacity(50);
            let pool = match limit {
                Some(tasks) => builder.max_tasks_per_worker(tasks).initializer(|()| (), ()),
                None => builder,
            };
            let pool = pool.build().unwrap();
            std::thread::scope(|scope| {
                let submitters: Vec<_> = (0..3).map(|_| scope.spawn(|| runs_many(&pool, 300))).collect();
                for width in [1, 4, 2, 6, 1, 3].into_iter().cycle().take(30) {
                    pool.resize(width).unwrap();
                    runs_many(&pool, 5);
                }
                submitters.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
            });
            assert_eq!((pool.stats().done, pool.stats().deaths), (3 * 300 + 30 * 5, 0));
        }
    });
}

#[test]
fn widths_that_cannot_be_are_refused() {
    on_both(|transport| {
        let pool = builder(transport, 2).build().unwrap();
        for workers in [0, 4097, usize::MAX] {
            let error = pool.resize(workers).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(&format!("to {workers} workers")), "{error}");
        }
        assert_eq!(pool.max_workers(), 2);
        pool.close(Shutdown::Drain);
        assert_eq!(pool.resize(3).unwrap_err().kind(), ErrorKind::ShutDown);
        pool.join(None);
        assert_eq!(pool.resize(3).unwrap_err().kind(), ErrorKind::ShutDown);

        let broken = builder(transport, 1).initializer(|()| -> () { panic!("on purpose") }, ()).build().unwrap();
        wait_until("the refusal of tasks", || broken.submit(|n: u32| n, 1).is_err());
        assert_eq!(broken.resize(3).unwrap_err().kind(), ErrorKind::Broken);
    });
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let builder = || ProcessPoolExecutor::builder().max_workers(2);
    let cases = [
        (builder().min_workers(3), "min_workers must be at most max_workers, which is 2, and not 3"),
        (builder().idle_timeout(LONG), "idle_timeout has no effect without min_workers"),
        (builder().min_workers(1).idle_timeout(Duration::ZERO), "idle_timeout must be more than 0"),
    ];
    for (builder, text) in cases {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(text), "{error}");
    }
    // A time-out that never ends is one.
    drop(builder().min_workers(0).idle_timeout(Duration::MAX).build().unwrap());
}
