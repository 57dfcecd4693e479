//! What only happens when several threads meet, step by step.

use crossbeam_deque::Worker as Deque;
use executor_core::{ErrorKind, Future, TaskOptions};

use super::*;

/// A bounded pool without threads: the tests take their steps.
fn pool(capacity: usize) -> Arc<Pool> {
    let deque = Deque::new_fifo();
    let (sleep, _) = Sleep::new(1);
    Pool::new("test".into(), Box::new([deque.stealer()]), sleep, Some(capacity), None)
}

/// A submit up to where the task has been pushed.
fn push(pool: &Pool) -> (TaskId, Future<()>) {
    let (task, future) = Task::from_closure(TaskOptions::new(), || ());
    task.attach(pool.host());
    pool.enter_room(&task).unwrap();
    let id = task.id();
    pool.queues.push(task);
    (id, future)
}

fn waiting(pool: &Pool) -> usize {
    pool.room.as_ref().map_or(0, Room::waiting)
}

#[test]
fn a_task_that_was_cancelled_before_it_is_reclaimed_leaves_the_room_once() {
    let pool = pool(2);
    let ((one, cancelled), (two, reclaimed)) = (push(&pool), push(&pool));
    assert_eq!(waiting(&pool), 2);
    // The last worker leaves, and then the pool is closed behind both submits.
    pool.gate.give_up_one();
    assert!(cancelled.cancel());
    assert_eq!(waiting(&pool), 1);
    for id in [one, two] {
        assert_eq!(pool.closed_behind(id).unwrap_err().kind(), ErrorKind::ShutDown);
    }
    assert_eq!(waiting(&pool), 0);
    assert!(cancelled.cancelled() && reclaimed.done());
}

#[test]
fn a_task_that_was_cancelled_before_the_pool_ran_or_discarded_it_leaves_the_room_once() {
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
fn a_task_that_cannot_run_in_place_leaves_the_room() {
    let pool = pool(1);
    let (task, future) = Task::from_closure(TaskOptions::new(), || ());
    task.encode(&mut Vec::new()).unwrap_err();
    pool.schedule(task).unwrap();
    pool.run_on(0, pool.queues.pop().unwrap(), false);
    assert_eq!(waiting(&pool), 0);
    assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::InvalidState);
}
