//! The death of a worker costs the task that it was running and nothing else.

use std::time::Duration;

use executor_core::{Error, ErrorKind, Executor, Future, TaskOptions, task};
use process_pool::Transport;

use crate::{
    programs,
    support::{
        Blocker, DEADLINE, SharedDir, add_line, builder, get, is_alive, kill, on, on_both, pool, wait_until, warm_up,
    },
};

fn exits(code: i32) -> u32 {
    std::process::exit(code)
}

fn aborts(_: i32) -> u32 {
    std::process::abort()
}

#[allow(unsafe_code)]
fn raises(signal: i32) -> u32 {
    // SAFETY: not sound on purpose: this worker must die of it.
    unsafe { libc::raise(signal) };
    unreachable!("it is dead")
}

#[allow(unsafe_code)]
fn reads_bad_memory(address: i32) -> u32 {
    // SAFETY: not sound on purpose: the process must die of it.
    unsafe { std::ptr::with_exposed_provenance::<u32>(address as usize).read_volatile() }
}

fn overflows_its_stack(depth: i32) -> u32 {
    let large = std::hint::black_box([depth; 1000]);
    if depth == i32::MAX { 0 } else { overflows_its_stack(depth + 1) + large[7].unsigned_abs() }
}

#[allow(unsafe_code)]
fn closes_everything(_: i32) -> u32 {
    for descriptor in 3..100 {
        // SAFETY: not sound on purpose: it closes what the worker needs, as foreign code may.
        unsafe { libc::close(descriptor) };
    }
    7
}

fn death_of(future: &Future<u32>) -> Error {
    let error = get(future).expect_err("its worker died");
    assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
    error
}

#[test]
fn a_death_fails_its_task_with_the_reason_and_no_other_task() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        let good: Vec<Future<u32>> = (0..50).map(|n| pool.submit(|n: u32| n * 2, n).unwrap()).collect();
        let died = |function: fn(&process_pool::ProcessPoolExecutor) -> Future<u32>| death_of(&function(&pool));

        let error = died(|pool| pool.submit(exits, 7).unwrap());
        let death = error.worker_death().expect("details");
        assert_eq!((death.exit_code(), death.signal()), (Some(7), None));
        assert!(death.task().contains("exits") && death.pid() > 0);

        let error = died(|pool| pool.submit(exits, 0).unwrap());
        assert_eq!(error.worker_death().expect("details").exit_code(), Some(0));

        let error = died(|pool| pool.submit(aborts, 0).unwrap());
        assert_eq!(error.worker_death().expect("details").signal(), Some(libc::SIGABRT));

        let error = died(|pool| pool.submit(reads_bad_memory, 64).unwrap());
        assert_eq!(error.worker_death().expect("details").signal(), Some(libc::SIGSEGV));
        assert!(error.to_string().contains("bad memory access"), "{error}");

        let error = died(|pool| pool.submit(overflows_its_stack, 0).unwrap());
        assert!(error.to_string().contains("stack overflow"), "{error}");

        let error = died(|pool| pool.submit(raises, libc::SIGKILL).unwrap());
        assert!(error.to_string().contains("killed from outside"), "{error}");

        let options = TaskOptions::new().name("the culprit");
        let error = death_of(&pool.submit_with(options, aborts, 0).unwrap());
        assert_eq!(error.worker_death().expect("details").task(), "the culprit");

        for (n, future) in good.iter().enumerate() {
            assert_eq!(get(future).unwrap(), 2 * n as u32);
        }
        warm_up(&pool, 2);
    });
}

#[test]
fn the_last_lines_of_the_standard_error_are_in_the_error() {
    fn writes_lines_to_stderr(lines: u32) -> u32 {
        for line in 0..lines {
            eprintln!("line {line}");
        }
        std::process::exit(3)
    }
    on_both(|transport| {
        let pool = pool(transport, 1);
        let error = death_of(&pool.submit(writes_lines_to_stderr, 3000).unwrap());
        let tail = error.worker_death().expect("details").stderr_tail().to_string();
        assert!(tail.ends_with("line 2999") && tail.lines().count() < 50, "{tail}");
        // The next death has its own stderr tail.
        let error = death_of(&pool.submit(exits, 1).unwrap());
        assert_eq!(error.worker_death().expect("details").stderr_tail(), "");
    });
}

#[test]
fn a_worker_may_write_much_to_its_standard_error_and_may_close_it() {
    #[allow(unsafe_code)]
    fn closes_its_standard_error(n: u32) -> u32 {
        // SAFETY: nothing in this process owns the descriptor.
        unsafe { libc::close(2) };
        n
    }
    programs::succeeds("has_no_standard_error", &[]);
    on_both(|transport| {
        let pool = pool(transport, 1);
        for n in 0..3 {
            assert_eq!(get(&pool.submit(closes_its_standard_error, n).unwrap()).unwrap(), n);
        }
    });
}

/// Has a closed standard error, and workers that write much to theirs.
#[allow(unsafe_code)]
pub fn has_no_standard_error() {
    fn writes_a_megabyte(n: u32) -> u32 {
        for _ in 0..1000 {
            eprintln!("{}", "x".repeat(1000));
        }
        n
    }
    // SAFETY: nothing in this process owns the descriptor.
    unsafe { libc::close(2) };
    for transport in [Transport::Ring, Transport::Socket] {
        let pool = pool(transport, 2);
        let futures: Vec<Future<u32>> = (0..4).map(|n| pool.submit(writes_a_megabyte, n).unwrap()).collect();
        futures.iter().for_each(|future| assert!(future.result(DEADLINE).is_ok()));
    }
}

#[test]
fn a_task_that_may_be_retried_is_run_again_after_a_death() {
    fn dies_twice(path: String) -> u32 {
        let attempt = task::current().unwrap().attempt();
        add_line(&path, attempt);
        if attempt < 3 { std::process::abort() } else { attempt }
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        let twice = pool.submit_with(TaskOptions::new().retries(2), dies_twice, dir.path("good")).unwrap();
        assert_eq!(get(&twice).unwrap(), 3);
        assert_eq!(dir.numbers("good"), [1, 2, 3]);
        let once = pool.submit_with(TaskOptions::new().retries(1), dies_twice, dir.path("bad")).unwrap();
        death_of(&once);
        assert_eq!(dir.numbers("bad"), [1, 2]);
    });
}

#[test]
fn a_task_that_has_not_started_survives_the_death_of_its_worker() {
    // Over a socket a task starts when it is sent.
    on(Transport::Ring, |transport| {
        let pool = pool(transport, 1);
        for n in 0..10 {
            warm_up(&pool, 1);
            let worker = pool.worker_pids()[0];
            kill(worker, libc::SIGSTOP);
            let future = pool.submit(|n: u32| n, n).unwrap();
            assert!(!future.running());
            kill(worker, libc::SIGKILL);
            assert_eq!(get(&future).unwrap(), n);
        }
    });
}

#[test]
fn a_dead_worker_gets_no_task() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for n in 0..20 {
            let worker = get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap();
            kill(worker, libc::SIGKILL);
            wait_until("a death", || !is_alive(worker));
            assert_eq!(get(&pool.submit(|n: u32| n, n).unwrap()).unwrap(), n);
        }
    });
}

#[test]
fn every_future_completes_while_workers_are_killed_at_random_moments() {
    on_both(|transport| {
        let pool = pool(transport, 3);
        // All workers are ready, because repeated deaths before that break the pool.
        let (send, seen) = std::sync::mpsc::channel::<u32>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for (turn, worker) in seen.into_iter().enumerate() {
                    if turn % 29 == 0 {
                        std::thread::park_timeout(Duration::from_micros(turn as u64 % 7 * 100));
                        kill(worker, libc::SIGKILL);
                    }
                }
            });
            for round in 0..60 {
                let options = TaskOptions::new().retries(round % 3);
                let submit = |_| pool.submit_with(options.clone(), |()| std::process::id(), ()).expect("accepted");
                let futures: Vec<Future<u32>> = (0..20).map(submit).collect();
                for future in futures.iter().skip(10).step_by(3) {
                    future.cancel();
                }
                for future in futures {
                    match get(&future) {
                        Ok(worker) => send.send(worker).expect("the receiver exists"),
                        Err(error) => {
                            assert!(matches!(error.kind(), ErrorKind::WorkerDied | ErrorKind::Cancelled), "{error}");
                        }
                    }
                }
            }
            drop(send);
        });
    });
}

#[test]
fn a_worker_that_closes_its_descriptors_costs_at_most_its_task() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for n in 0..5 {
            let future = pool.submit(closes_everything, 0).unwrap();
            if let Err(error) = get(&future) {
                assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
                assert!(error.to_string().contains("closed its link"), "{error}");
            }
            let next = pool.submit_with(TaskOptions::new().retries(1), |n: u32| n, n).unwrap();
            assert_eq!(get(&next).unwrap(), n);
        }
    });
}

#[test]
fn arguments_that_no_worker_can_hold_fail_their_task_only() {
    on_both(|transport| {
        let pool = builder(transport, 1).memory_limit(200 << 20).build().unwrap();
        let huge = "7".repeat(250 << 20);
        let future = pool.submit(|text: String| text.len() as u32, huge).unwrap();
        let error = death_of(&future);
        assert!(error.to_string().contains("out of memory"), "{error}");
        assert_eq!(get(&pool.submit(|n: u32| n, 4).unwrap()).unwrap(), 4);
    });
}

#[test]
fn children_of_a_task_end_with_its_worker() {
    fn starts_a_child(path: String) -> u32 {
        let child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        add_line(&path, child.id());
        super::support::wait_for_file(&format!("{path}.die"));
        std::process::abort()
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let future = pool.submit(starts_a_child, dir.path("child")).unwrap();
        wait_until("a child", || !dir.lines("child").is_empty());
        let child = dir.numbers("child")[0];
        assert!(is_alive(child));
        dir.touch("child.die");
        death_of(&future);
        wait_until("the end of the child", || !is_alive(child));
    });
}

#[test]
fn deaths_are_noticed_if_the_program_ignores_sigchld() {
    programs::succeeds("ignores_the_ends_of_children", &[]);
}

#[allow(unsafe_code)]
pub fn ignores_the_ends_of_children() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        let error = death_of(&pool.submit(exits, 7).unwrap());
        assert!(error.to_string().contains("exit status"), "{error}");
        let blocker = Blocker::start(&pool);
        let limited = TaskOptions::new().time_limit(Duration::from_millis(30));
        let future = pool.submit_with(limited, super::support::never_ends, dir.path("runs")).unwrap();
        assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::TimeLimit);
        blocker.release();
        warm_up(&pool, 2);
    });
}
