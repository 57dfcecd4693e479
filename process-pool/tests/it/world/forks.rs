//! Forks of the host while its other threads use a pool.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use executor_core::{Backend as _, Executor as _, Future, ReturnWhen, Shutdown, wait};
use process_pool::{ProcessPoolExecutor, Stats, Transport};

use super::{end_at_the_deadline, variable};
use crate::{
    programs,
    support::{Blocker, get, pool, wait_until},
};

#[test]
fn a_fork_while_other_threads_use_the_pool_hangs_no_process() {
    for transport in ["ring", "socket"] {
        programs::succeeds("forks_while_others_submit", &[("TRANSPORT", transport)]);
    }
}

pub fn forks_while_others_submit() {
    end_at_the_deadline();
    let transport = if variable("TRANSPORT") == "ring" { Transport::Ring } else { Transport::Socket };
    let pool = pool(transport, 2);
    let blocker = Blocker::start(&pool);
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        // This takes every lock of the pool, so that some are held when the process forks.
        for _ in 0..2 {
            scope.spawn(|| {
                while !enough.load(Relaxed) {
                    let futures: Vec<Future<u32>> = (0..20).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
                    for (n, future) in futures.iter().enumerate() {
                        if n % 7 == 3 && future.cancel() {
                            continue;
                        }
                        future.add_done_callback(|_| {});
                        assert_eq!(get(future).unwrap(), n as u32);
                    }
                    let _ = (format!("{pool:?}"), pool.worker_pids(), pool.stats());
                }
            });
        }
        for _ in 0..40 {
            let mut mine: Vec<Future<u32>> = (0..3).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
            let status = in_a_child(|| uses_what_it_inherited(&pool, &blocker, &mut mine));
            if status != 0 {
                enough.store(true, Relaxed);
                panic!("the child of a fork ended with {status:#x}");
            }
            mine.iter().for_each(|future| assert!(get(future).is_ok()));
        }
        enough.store(true, Relaxed);
    });
    blocker.release();
    assert_eq!(pool.worker_pids().len(), 2);
}

/// Checks that every method of the pool and its futures returns an error or nothing.
fn uses_what_it_inherited(pool: &ProcessPoolExecutor, blocker: &Blocker, mine: &mut Vec<Future<u32>>) {
    assert!(pool.worker_pids().is_empty());
    assert!(pool.submit(|n: u32| n, 1).is_err());
    assert_eq!(pool.stats(), Stats::default());
    let _ = format!("{pool:?} {:?}", blocker.future);
    assert!(!blocker.future.done());
    let _ = blocker.future.running();
    assert!(!blocker.future.terminate(Duration::ZERO));
    assert!(blocker.future.result(Duration::from_secs(1)).is_err());
    blocker.future.add_done_callback(|_| {});
    for future in mine.iter() {
        let _ = (future.running(), future.cancel(), future.done());
        let _ = future.result(Duration::from_secs(1));
    }
    let _ = wait(std::mem::take(mine), Duration::from_millis(10), ReturnWhen::AllCompleted);
    pool.close(Shutdown::Terminate { grace: Duration::ZERO });
    assert!(!pool.join(Some(Duration::from_secs(1))));
}

/// Runs a function in a forked child, and returns the status of the child.
#[allow(unsafe_code)]
fn in_a_child(what: impl FnOnce()) -> i32 {
    // SAFETY: the child uses nothing that another thread could have locked but what is under test, and what the C
    // library makes usable in the child of a fork, as the allocator.
    let child = unsafe { libc::fork() };
    if child == 0 {
        end_at_the_deadline();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what));
        // SAFETY: it ends this process immediately.
        unsafe { libc::_exit(i32::from(outcome.is_err())) }
    }
    let mut status = 0;
    wait_until("the end of the child", || {
        // SAFETY: the status is written to a valid place.
        unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) == child }
    });
    status
}
