//! Workers that are stopped by a signal.

use std::{process::Stdio, time::Duration};

use executor_core::{ErrorKind, Executor, TaskOptions};

use super::support::{
    SharedDir, builder, get, is_stopped, never_ends, on_both, pool, touch, wait_for_file, wait_until, warm_up,
};

fn stop(pid: u32) {
    signal(pid, libc::SIGSTOP);
}

#[allow(unsafe_code)]
fn signal(pid: u32, signal: i32) {
    // SAFETY: a worker of this test's own.
    assert_eq!(unsafe { libc::kill(pid as libc::pid_t, signal) }, 0);
}

fn own_pid(_: ()) -> u32 {
    std::process::id()
}

#[test]
fn a_task_that_a_stopped_worker_has_not_started_runs_on_another() {
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
            wait_until("all slots to be filled", || pool.worker_pids().len() == workers);
        }
    });
}

#[test]
fn a_worker_that_is_stopped_and_continued_stays() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let worker = pool.worker_pids()[0];
        stop(worker);
        signal(worker, libc::SIGCONT);
        assert_eq!(get(&pool.submit(own_pid, ()).unwrap()).unwrap(), worker);
    });
}

/// Leaves this worker no descriptors to open. Those that it has stay open.
#[allow(unsafe_code)]
fn open_no_more(_: ()) {
    // SAFETY: the limit is written to and read from a valid place.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = 0;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

#[test]
fn a_worker_that_may_open_no_descriptors_stays_even_if_it_is_stopped() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let worker = pool.worker_pids()[0];
        get(&pool.submit(open_no_more, ()).unwrap()).unwrap();
        for _ in 0..20 {
            stop(worker);
            // A worker that is stopped in a system call begins it anew.
            wait_until("the worker to stop", || is_stopped(worker));
            signal(worker, libc::SIGCONT);
            assert_eq!(get(&pool.submit(own_pid, ()).unwrap()).unwrap(), worker);
        }
    });
}

#[test]
fn a_stopped_task_is_ended_by_its_time_limit_or_by_terminate() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let limited = TaskOptions::new().time_limit(Duration::from_millis(300));
        let future = pool.submit_with(limited, never_ends, dir.path("limited")).unwrap();
        wait_for_file(&dir.path("limited"));
        stop(pool.worker_pids()[0]);
        assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::TimeLimit);

        let future = pool.submit(never_ends, dir.path("terminated")).unwrap();
        wait_for_file(&dir.path("terminated"));
        stop(pool.worker_pids()[0]);
        assert!(future.terminate(Duration::ZERO));
        assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::Terminated);
        assert!(get(&pool.submit(own_pid, ()).unwrap()).is_ok());
    });
}

#[test]
fn workers_that_are_stopped_before_they_are_ready_break_the_pool() {
    fn stops(path: String) {
        touch(&path);
        stop(std::process::id());
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = builder(transport, 1).initializer(stops, dir.path("tried")).build().unwrap();
        let error = get(&pool.submit(own_pid, ()).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Broken);
        assert!(error.to_string().contains("was stopped by a signal"), "{error}");
        assert!(dir.has("tried"));
    });
}

#[test]
fn a_time_limit_does_not_run_out_while_the_whole_program_is_stopped() {
    // Side by side, because both mostly wait.
    std::thread::scope(|scope| {
        for transport in ["ring", "socket"] {
            scope.spawn(move || stop_the_program_for_longer_than_the_limit(transport));
        }
    });
}

fn stop_the_program_for_longer_than_the_limit(transport: &str) {
    let dir = SharedDir::new();
    let path = dir.path("meeting");
    let mut program = crate::programs::command("is_frozen");
    program.env("MEETING", &path).env("TRANSPORT", transport).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = program.spawn().unwrap();
    wait_for_file(&format!("{path}.runs"));
    wait_until("the worker's number", || dir.lines("meeting.worker").len() == 1);
    let worker = dir.numbers("meeting.worker")[0];
    // A frozen control group or a migrated machine stops them in the same way.
    let both = [program.id(), worker];
    both.into_iter().for_each(stop);
    wait_until("both to be stopped", || both.into_iter().all(is_stopped));
    let begun = std::time::Instant::now();
    wait_until("more than the limit", || begun.elapsed() > LIMIT + Duration::from_millis(1500));
    both.into_iter().for_each(|pid| signal(pid, libc::SIGCONT));
    touch(&format!("{path}.go"));
    crate::programs::has_succeeded(transport, program);
}

/// Far more than the task needs while it is not stopped.
const LIMIT: Duration = Duration::from_secs(6);

/// Runs a task that waits until the program was stopped and continued.
pub fn is_frozen() {
    crate::world::end_at_the_deadline();
    let path = std::env::var("MEETING").unwrap();
    let transport = match std::env::var("TRANSPORT").unwrap().as_str() {
        "ring" => process_pool::Transport::Ring,
        _ => process_pool::Transport::Socket,
    };
    fn waits(path: String) -> u32 {
        super::support::add_line(&format!("{path}.worker"), std::process::id());
        touch(&format!("{path}.runs"));
        wait_for_file(&format!("{path}.go"));
        7
    }
    let pool = builder(transport, 1).time_limit(LIMIT).build().unwrap();
    assert_eq!(get(&pool.submit(waits, path).unwrap()).unwrap(), 7);
    // The time limit still works.
    let dir = SharedDir::new();
    let future = pool.submit(never_ends, dir.path("runs")).unwrap();
    assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::TimeLimit);
}
