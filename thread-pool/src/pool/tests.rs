//! Races between threads, one step at a time.

use executor_core::{ErrorKind, Future, TaskOptions};

use super::*;

/// Returns a bounded pool without threads. The tests take the steps of the threads.
fn pool(capacity: usize) -> Arc<Pool> {
    Pool::new("test".into(), Width::fixed(1), None, Some(capacity), None)
}

/// Submits a task up to its push.
fn push(pool: &Pool) -> (TaskId, Future<()>) {
    let (task, future) = Task::from_closure(TaskOptions::new(), || ());
    task.attach(pool.host());
    pool.acquire_bound(&task).unwrap();
    let id = task.id();
    pool.queues.push(0, task);
    (id, future)
}

fn waiting(pool: &Pool) -> usize {
    pool.bound.as_ref().map_or(0, QueueBound::waiting)
}

#[test]
fn a_task_that_was_cancelled_before_it_is_reclaimed_is_released_once() {
    let pool = pool(2);
    let ((one, cancelled), (two, reclaimed)) = (push(&pool), push(&pool));
    assert_eq!(waiting(&pool), 2);
    // The last worker leaves. After that, both submits find the pool closed.
    pool.exit_gate.forget_worker();
    assert!(cancelled.cancel());
    assert_eq!(waiting(&pool), 1);
    for id in [one, two] {
        assert_eq!(pool.after_push_to_closed(id).unwrap_err().kind(), ErrorKind::ShutDown);
    }
    assert_eq!(waiting(&pool), 0);
    assert!(cancelled.cancelled() && reclaimed.done());
}

#[test]
fn a_task_that_was_cancelled_before_the_pool_ran_or_discarded_it_is_released_once() {
    let pool = pool(3);
    let futures = [push(&pool).1, push(&pool).1, push(&pool).1];
    assert!(futures[0].cancel() && futures[1].cancel());
    assert_eq!(waiting(&pool), 1);
    pool.run_on(0, pool.queues.pop().unwrap(), false);
    pool.discard(pool.queues.pop().unwrap());
    assert_eq!(waiting(&pool), 1);
    pool.discard(pool.queues.pop().unwrap());
    assert_eq!(waiting(&pool), 0);
}

#[test]
fn a_task_that_cannot_run_in_place_is_released() {
    let pool = pool(1);
    let (task, future) = Task::from_closure(TaskOptions::new(), || ());
    task.encode(&mut Vec::new()).unwrap_err();
    pool.schedule(task).unwrap();
    pool.run_on(0, pool.queues.pop().unwrap(), false);
    assert_eq!(waiting(&pool), 0);
    assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::InvalidState);
}
