//! The order in which tasks start.

use std::sync::{Arc, Mutex};

use executor_core::{Executor, TaskOptions};
use thread_pool::ThreadPoolExecutor;

use crate::support::{Blocker, HANGS, watched};

#[test]
fn tasks_start_in_the_order_of_submission() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let started = Arc::new(Mutex::new(Vec::new()));
    let blocker = Blocker::start(&pool);
    for n in 0..1000 {
        let started = started.clone();
        drop(pool.spawn(move || started.lock().unwrap().push(n)).unwrap());
    }
    blocker.release();
    drop(pool);
    assert_eq!(*started.lock().unwrap(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn higher_priorities_start_first_and_lower_ones_last() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let started = Arc::new(Mutex::new(Vec::new()));
    let blocker = Blocker::start(&pool);
    for (n, priority) in [0, -1, 5, 0, i32::MIN, 5, i32::MAX, -1, 1].into_iter().enumerate() {
        let started = started.clone();
        let options = TaskOptions::new().priority(priority);
        drop(pool.spawn_with(options, move || started.lock().unwrap().push((priority, n))).unwrap());
    }
    blocker.release();
    drop(pool);
    let expected = [(i32::MAX, 6), (5, 2), (5, 5), (1, 8), (0, 0), (0, 3), (-1, 1), (-1, 7), (i32::MIN, 4)];
    assert_eq!(*started.lock().unwrap(), expected);
}

#[test]
fn tasks_that_keep_submitting_do_not_block_tasks_from_outside() {
    fn again(pool: &Arc<ThreadPoolExecutor>, stop: &Arc<std::sync::atomic::AtomicBool>) {
        if !stop.load(std::sync::atomic::Ordering::SeqCst) {
            let (pool_, stop) = (pool.clone(), stop.clone());
            drop(pool.spawn(move || again(&pool_, &stop)).unwrap());
        }
    }
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
        let stop = Arc::default();
        let (pool_, stop_) = (pool.clone(), Arc::clone(&stop));
        pool.spawn(move || again(&pool_, &stop_)).unwrap().result(HANGS).unwrap();
        assert_eq!(pool.submit(|n: u64| n, 7).unwrap().result(HANGS).unwrap(), 7);
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}
