//! Waiting inside tasks.

use std::sync::Arc;

use executor_core::{Backend, Executor, ReturnWhen, wait};
use thread_pool::ThreadPoolExecutor;

use crate::support::{Blocker, HANGS, watched};

fn fibonacci(handle: &Arc<dyn Backend>, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (task, left) = executor_core::Task::from_closure(Default::default(), {
        let handle = handle.clone();
        move || fibonacci(&handle, n - 1)
    });
    handle.schedule(task).unwrap();
    let right = fibonacci(handle, n - 2);
    left.result(None).unwrap() + right
}

#[test]
fn nested_waits_do_not_use_up_the_workers() {
    for workers in [1, 2, 4] {
        watched(move || {
            let pool = ThreadPoolExecutor::new(workers).unwrap();
            let handle = pool.handle().unwrap();
            let future = pool.spawn(move || fibonacci(&handle, 16)).unwrap();
            assert_eq!(future.result(HANGS).unwrap(), 987);
        });
    }
}

#[test]
fn a_task_may_wait_for_a_task_from_outside() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let blocker = Blocker::start(&pool);
        let (hand_over, handed_over) = std::sync::mpsc::channel::<executor_core::Future<u64>>();
        let outer = pool.spawn(move || handed_over.recv().unwrap().result(None).unwrap()).unwrap();
        hand_over.send(pool.submit(|n: u64| n + 1, 1).unwrap()).unwrap();
        blocker.release();
        assert_eq!(outer.result(HANGS).unwrap(), 2);
    });
}

#[test]
fn wait_inside_a_task_runs_tasks_that_have_not_started() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let handle = pool.handle().unwrap();
        let outer = pool
            .spawn(move || {
                let futures: Vec<_> = (0..5u64).map(|n| handle.submit(|n: u64| n, n).unwrap()).collect();
                wait(futures, None, ReturnWhen::AllCompleted).done.len()
            })
            .unwrap();
        assert_eq!(outer.result(HANGS).unwrap(), 5);
    });
}
