//! The global pool. This is the only test of this binary that uses it.

use std::{sync::Barrier, thread};

use executor_core::{Backend, ErrorKind, Executor};
use thread_pool::ThreadPoolExecutor;

use crate::support::{HANGS, watched};

#[test]
fn its_width_is_set_once_and_all_threads_get_the_same_pool() {
    watched(|| {
        let invalid = ThreadPoolExecutor::builder().max_workers(0).build_global();
        assert_eq!(invalid.unwrap_err().kind(), ErrorKind::InvalidArgument, "and another call can build it");
        let start = Barrier::new(8);
        let built: usize = thread::scope(|threads| {
            let build = |width: usize| {
                start.wait();
                match ThreadPoolExecutor::builder().max_workers(width).build_global() {
                    Ok(pool) => pool.max_workers(),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::InvalidState);
                        0
                    }
                }
            };
            let threads: Vec<_> = (1..=8).map(|width| threads.spawn(move || build(width))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let pool = ThreadPoolExecutor::global();
        assert_eq!(pool.max_workers(), built);
        assert!(std::ptr::eq(pool, ThreadPoolExecutor::global()));
        assert_eq!(pool.submit(|n: u64| n + 1, 1).unwrap().result(HANGS).unwrap(), 2);
    });
}
