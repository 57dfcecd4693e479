//! The future of a process.

use std::{sync::mpsc, time::Duration};

use executor_core::{Error, ErrorKind, Executor, Future, ReturnWhen, as_completed, wait};
use process_pool::{Process, ProcessPoolExecutor};
use test_support::block_on;

use crate::support::{DEADLINE, SharedDir, get, never_ends, wait_for_file};

fn square(n: u64) -> Future<u64> {
    Process::spawn(|n: u64| n * n, n).unwrap().into_future()
}

/// (`TestWait.test_wait_integer`: processes and tasks are waited for together)
#[test]
fn futures_of_processes_are_waited_for_like_those_of_tasks() {
    let pool = ProcessPoolExecutor::new(1).unwrap();
    let task = pool.submit(|n: u64| n * n, 4).unwrap();
    let done = wait([square(2), square(3), task], DEADLINE, ReturnWhen::AllCompleted).done;
    let mut squares: Vec<u64> = done.iter().map(|future| get(future).unwrap()).collect();
    squares.sort_unstable();
    assert_eq!(squares, [4, 9, 16]);
    let sum = as_completed((0..4).map(square), DEADLINE).map(|done| done?.result(None)).sum::<Result<u64, Error>>();
    assert_eq!(sum.unwrap(), 14);
}

#[test]
fn a_process_is_awaited() {
    let process = Process::spawn(|n: u64| n + 1, 41).unwrap();
    assert_eq!(block_on(process.into_future()).unwrap(), 42);
    let process = Process::spawn(|()| -> u64 { std::process::abort() }, ()).unwrap();
    assert_eq!(block_on(process.into_future()).unwrap_err().kind(), ErrorKind::WorkerDied);
}

#[test]
fn callbacks_run_in_this_program() {
    let (send, receive) = mpsc::channel();
    let process = Process::spawn(|()| std::process::id(), ()).unwrap();
    process.future().add_done_callback(move |future| {
        let _ = send.send((future.done(), std::process::id()));
    });
    assert_eq!(receive.recv_timeout(DEADLINE).unwrap(), (true, std::process::id()));
    assert_eq!(process.result(DEADLINE).unwrap(), process.pid());
}

#[test]
fn the_future_stops_a_process_as_it_stops_a_task() {
    let dir = SharedDir::new();
    let process = Process::spawn(never_ends, dir.path("runs")).unwrap();
    wait_for_file(&dir.path("runs"));
    assert!(process.future().running() && !process.future().cancel());
    assert_eq!(process.result(Duration::ZERO).unwrap_err().kind(), ErrorKind::Timeout);
    assert!(process.future().terminate(Duration::from_secs(5)));
    assert_eq!(process.result(DEADLINE).unwrap_err().kind(), ErrorKind::Terminated);
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(-libc::SIGTERM));
}

#[test]
fn a_process_is_cancelled_or_runs() {
    let (mut cancelled, mut ran) = (0, 0);
    for _ in 0..20 {
        let process = Process::spawn(|n: u64| n, 7).unwrap();
        if process.future().cancel() {
            assert_eq!(process.result(DEADLINE).unwrap_err().kind(), ErrorKind::Cancelled);
            cancelled += 1;
        } else {
            assert_eq!(process.result(DEADLINE).unwrap(), 7);
            ran += 1;
        }
        assert!(process.join(DEADLINE), "it ends in both cases");
    }
    println!("{cancelled} cancelled, {ran} ran");
}
