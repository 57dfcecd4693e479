//! A pool in the child of a fork.

use std::time::{Duration, Instant};

use executor_core::{Backend, ErrorKind, Executor, Shutdown};
use process_pool::Transport;

use crate::{
    programs,
    support::{Blocker, DEADLINE, get, pool, wait_until, warm_up},
};

#[test]
fn a_pool_in_a_forked_child_returns_errors_and_the_parent_goes_on() {
    programs::succeeds("forks", &[]);
}

#[allow(unsafe_code)]
pub fn forks() {
    for transport in [Transport::Ring, Transport::Socket] {
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let blocker = Blocker::start(&pool);
        let waiting = pool.submit(|n: u32| n, 1).unwrap();
        // SAFETY: the child has one thread, and uses nothing that another could have locked but what is under test.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                assert_eq!(pool.submit(|n: u32| n, 1).unwrap_err().kind(), ErrorKind::Broken);
                assert_eq!(pool.try_submit(|n: u32| n, 1).unwrap_err().kind(), ErrorKind::Broken);
                assert!(pool.map(|n: u32| n, 0..3_u32).is_err());
                assert_eq!(blocker.future.result(None).unwrap_err().kind(), ErrorKind::Broken);
                blocker.future.cancel();
                blocker.future.terminate(Duration::ZERO);
                waiting.cancel();
                assert!(pool.worker_pids().is_empty());
                assert_eq!(pool.max_workers(), 1);
                let _ = format!("{pool:?} {waiting:?}");
                pool.close(Shutdown::Terminate { grace: Duration::ZERO });
                assert!(!pool.join(None));
                drop(pool);
            }));
            // SAFETY: it ends this process immediately.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
        let start = Instant::now();
        let mut status = 0;
        wait_until("the end of the child", || {
            assert!(start.elapsed() < DEADLINE);
            // SAFETY: the status is written to a valid place.
            unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) == child }
        });
        assert_eq!(status, 0);
        blocker.release();
        assert_eq!(get(&waiting).unwrap(), 1);
        warm_up(&pool, 1);
    }
}
