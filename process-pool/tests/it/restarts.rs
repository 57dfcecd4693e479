//! Workers that fail to start. A pool with a healthy worker goes on and tries again.

use std::time::{Duration, Instant};

use executor_core::{Error, ErrorKind, Executor};
use process_pool::ProcessPoolExecutor;

use crate::support::{
    Blocker, SharedDir, add_line, builder, get, is_alive, kill, on_both, touch, wait_for_file, wait_until, warm_up,
};

/// Notes a start, and returns `true` if it must fail.
fn tried(path: &str) -> bool {
    add_line(path, std::process::id());
    std::path::Path::new(&format!("{path}.fail")).exists()
}

fn exits(path: String) {
    if tried(&path) {
        std::process::exit(1);
    }
}

fn panics(path: String) {
    assert!(!tried(&path), "there is no licence today");
}

fn is_killed(path: String) {
    if tried(&path) {
        kill(std::process::id(), libc::SIGKILL);
    }
}

/// The number of starts that fail: many more than the few that break a pool without a healthy worker.
const MANY: usize = 12;

fn build(transport: process_pool::Transport, workers: usize, how: usize, path: String) -> ProcessPoolExecutor {
    let builder = builder(transport, workers);
    match how {
        0 => builder.initializer(exits, path),
        1 => builder.initializer(panics, path),
        _ => builder.initializer(is_killed, path),
    }
    .build()
    .unwrap()
}

#[test]
fn failing_starts_do_not_break_a_pool_with_a_healthy_worker() {
    // The pools spend their time between two starts, so they are tested at the same time.
    on_both(|transport| {
        std::thread::scope(|scope| {
            for how in 0..3 {
                scope.spawn(move || failing_starts_do_not_break(transport, how));
            }
        });
    });
}

fn failing_starts_do_not_break(transport: process_pool::Transport, how: usize) {
    let dir = SharedDir::new();
    let pool = build(transport, 4, how, dir.path("tried"));
    warm_up(&pool, 4);
    dir.touch("tried.fail");
    let before = dir.lines("tried").len();
    let victim = pool.worker_pids()[0];
    kill(victim, libc::SIGKILL);
    wait_until("its end", || !is_alive(victim));
    // A second worker dies too.
    let victim = pool.worker_pids()[0];
    kill(victim, libc::SIGKILL);
    wait_until("many failures", || dir.lines("tried").len() >= before + MANY);
    for n in 0..100 {
        assert_eq!(get(&pool.submit(|n: u32| n + 1, n).unwrap()).unwrap(), n + 1);
    }
    std::fs::remove_file(dir.path("tried.fail")).unwrap();
    wait_until("four workers", || pool.worker_pids().len() == 4);
    let blockers: Vec<Blocker> = (0..4).map(|_| Blocker::start(&pool)).collect();
    blockers.into_iter().for_each(Blocker::release);
}

#[test]
fn starts_that_fail_for_a_moment_do_not_break_a_pool() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = build(transport, 1, 0, dir.path("tried"));
        warm_up(&pool, 1);
        dir.touch("tried.fail");
        kill(pool.worker_pids()[0], libc::SIGKILL);
        let waits = pool.submit(|n: u32| n + 1, 1).unwrap();
        wait_until("four failures", || dir.lines("tried").len() >= 5);
        std::fs::remove_file(dir.path("tried.fail")).unwrap();
        assert_eq!(get(&waits).unwrap(), 2);
    });
}

fn error_of(pool: &ProcessPoolExecutor) -> Error {
    match pool.submit(|n: u32| n, 1) {
        Ok(future) => get(&future).unwrap_err(),
        Err(error) => error,
    }
}

#[test]
fn a_lasting_failure_breaks_the_pool_when_the_last_worker_is_gone() {
    on_both(|transport| {
        for (how, word) in [(0, "exited with code 1"), (1, "no licence today")] {
            let dir = SharedDir::new();
            let pool = build(transport, 2, how, dir.path("tried"));
            warm_up(&pool, 2);
            dir.touch("tried.fail");
            pool.worker_pids().into_iter().for_each(|pid| kill(pid, libc::SIGKILL));
            wait_until("the end of the pool", || pool.submit(|n: u32| n, 1).is_err());
            let error = error_of(&pool);
            assert_eq!(error.kind(), ErrorKind::Broken);
            assert!(error.to_string().contains(word), "{error}");
            // The number of starts is bounded.
            let starts = dir.lines("tried").len();
            assert!(starts <= 2 + 2 + 20, "{starts}");
        }
    });
}

#[test]
fn a_worker_whose_initializer_fails_is_started_again() {
    fn fails_but_for_one(path: String) {
        add_line(&path, std::process::id());
        let is_first = std::fs::File::options().write(true).create_new(true).open(format!("{path}.first")).is_ok();
        if is_first {
            // Slower than those that fail.
            wait_until("three failures", || std::fs::read_to_string(&path).unwrap().lines().count() >= 4);
            touch(&format!("{path}.ready"));
        } else if !std::path::Path::new(&format!("{path}.ready")).exists() {
            panic!("the port is taken");
        }
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = builder(transport, 4).initializer(fails_but_for_one, dir.path("tried")).build().unwrap();
        assert_eq!(get(&pool.submit(|n: u32| n + 1, 1).unwrap()).unwrap(), 2);
        wait_until("four workers", || pool.worker_pids().len() == 4);
    });
}

#[test]
fn while_no_worker_was_ever_ready_a_failed_start_is_not_repeated_before_the_others_have_ended() {
    /// Fails immediately, except that seven of the first eight wait before.
    fn fails(path: String) {
        add_line(&path, std::process::id());
        let waits = |n: &u32| std::fs::File::options().write(true).create_new(true).open(format!("{path}.{n}")).is_ok();
        if (1..=8).find(waits).is_some_and(|n| n > 1) {
            wait_for_file(&format!("{path}.go"));
        }
        panic!("there is no licence");
    }
    on_both(|transport| {
        let (dir, start) = (SharedDir::new(), Instant::now());
        let pool = builder(transport, 8).initializer(fails, dir.path("tried")).build().unwrap();
        wait_until("eight starts", || dir.lines("tried").len() >= 8);
        wait_until("some pauses of a pool with a worker that serves", || start.elapsed() > Duration::from_secs(2));
        dir.touch("tried.go");
        let error = error_of(&pool);
        assert_eq!(error.kind(), ErrorKind::Broken);
        assert!(error.to_string().contains("there is no licence"), "{error}");
        drop(pool);
        // The pause is ten seconds.
        let repeated = start.elapsed().as_secs() as usize / 10;
        let starts = dir.lines("tried").len();
        assert!(starts <= 8 + repeated, "{starts}");
    });
}
