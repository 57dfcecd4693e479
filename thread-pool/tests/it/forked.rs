//! A pool in a forked child.
#![allow(unsafe_code)]

use std::time::Duration;

use executor_core::{Backend, ErrorKind, Executor, Shutdown};
use thread_pool::ThreadPoolExecutor;

#[test]
fn in_a_forked_child_the_pool_returns_errors_and_nothing_hangs() {
    let pool = ThreadPoolExecutor::new(2).unwrap();
    assert_eq!(pool.submit(|n: u64| n, 1).unwrap().result(None).unwrap(), 1);
    // SAFETY: the child only calls the code under test and `_exit`. An alarm ends it if that hangs.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe { libc::alarm(60) };
        let refused = pool.submit(|n: u64| n, 1).is_err_and(|error| error.kind() == ErrorKind::Broken);
        pool.close(Shutdown::Drain);
        let not_joined = !pool.join(None) && !pool.join(Duration::from_secs(1).into());
        drop(pool);
        // SAFETY: as above.
        unsafe { libc::_exit(if refused && not_joined { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and `status` is valid for writes.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status}");
    assert_eq!(pool.submit(|n: u64| n, 2).unwrap().result(None).unwrap(), 2);
}
