//! Workers that are stopped by a signal and do not go on.

use std::time::Duration;

use executor_core::{ErrorKind, Executor, TaskOptions};

use super::support::{Meeting, builder, get, never_ends, on_both, pool, put, wait_for, wait_until, warm_up};

fn stop(pid: u32) {
    signal(pid, libc::SIGSTOP);
}

#[allow(unsafe_code)]
fn signal(pid: u32, signal: i32) {
    // SAFETY: a worker of this test's own.
    assert_eq!(unsafe { libc::kill(pid.cast_signed(), signal) }, 0);
}

fn own_pid(_: ()) -> u32 {
    std::process::id()
}

#[test]
fn a_task_that_a_stopped_worker_has_not_begun_is_run_by_another() {
    on_both(|transport| {
        for workers in [1, 2] {
            let pool = pool(transport, workers);
            warm_up(&pool, workers);
            let before = pool.worker_pids();
            before.iter().for_each(|pid| stop(*pid));
            let futures: Vec<_> = (0..10).map(|_| pool.submit(own_pid, ()).unwrap()).collect();
            for future in &futures {
                assert!(!before.contains(&get(future).unwrap()));
            }
            wait_until("all places to be filled", || pool.worker_pids().len() == workers);
        }
    });
}

#[test]
fn a_worker_that_was_stopped_and_goes_on_is_left_alone() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let worker = pool.worker_pids()[0];
        stop(worker);
        signal(worker, libc::SIGCONT);
        assert_eq!(get(&pool.submit(own_pid, ()).unwrap()).unwrap(), worker);
    });
}

#[test]
fn a_task_that_is_stopped_while_it_runs_is_stopped_for_good_by_its_time_limit_or_by_terminate() {
    on_both(|transport| {
        let meeting = Meeting::new();
        let pool = pool(transport, 1);
        let limited = TaskOptions::new().time_limit(Duration::from_millis(300));
        let future = pool.submit_with(limited, never_ends, meeting.path("limited")).unwrap();
        wait_for(&meeting.path("limited"));
        stop(pool.worker_pids()[0]);
        assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::TimeLimit);

        let future = pool.submit(never_ends, meeting.path("terminated")).unwrap();
        wait_for(&meeting.path("terminated"));
        stop(pool.worker_pids()[0]);
        assert!(future.terminate(Duration::ZERO));
        assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::Terminated);
        assert!(get(&pool.submit(own_pid, ()).unwrap()).is_ok());
    });
}

#[test]
fn workers_that_are_stopped_before_they_are_ready_break_the_pool() {
    fn stops(path: String) {
        put(&path);
        stop(std::process::id());
    }
    on_both(|transport| {
        let meeting = Meeting::new();
        let pool = builder(transport, 1).initializer(stops, meeting.path("tried")).build().unwrap();
        let error = get(&pool.submit(own_pid, ()).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Broken);
        assert!(error.to_string().contains("was stopped by a signal"), "{error}");
        assert!(meeting.has("tried"));
    });
}
