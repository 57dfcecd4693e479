//! Cases of `_TestQueue` and `TestSimpleQueue`.

use std::time::{Duration, Instant};

use executor_core::ErrorKind::{Closed, InvalidState, Timeout};
use process_sync::{JoinableQueue, Queue, SimpleQueue};

use crate::support::{Line, Role, child, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("get six", get_six),
    ("put four", put_four),
    ("put ten more", put_ten_more),
    ("finish until closed", finish_until_closed),
    ("get and put back", get_and_put_back),
    ("queue of a child", queue_of_a_child),
    ("put into the queue", put_into_the_queue),
];

const MOMENT: Duration = Duration::from_millis(5);

fn get_six(line: &mut Line) {
    let (queue, taken): (Queue<u64>, Queue<u64>) = line.receive();
    for _ in 0..6 {
        taken.put(queue.get(None).unwrap()).unwrap();
    }
}

#[test]
fn mp_101_a_bounded_queue_refuses_a_seventh_item_in_every_form_of_put() {
    each_harness(|harness| {
        let (queue, taken) = (Queue::<u64>::bounded(6).unwrap(), Queue::<u64>::unbounded().unwrap());
        assert!(queue.is_empty() && !queue.is_full());
        queue.put(1).unwrap();
        queue.put_timeout(2, Duration::MAX).unwrap();
        queue.put_timeout(3, Duration::ZERO).unwrap();
        assert!(queue.try_put(4).unwrap());
        queue.put(5).unwrap();
        queue.put(6).unwrap();
        assert!(!queue.is_empty() && queue.is_full());
        assert!(!queue.try_put(7).unwrap());
        for timeout in [Duration::ZERO, MOMENT] {
            let started = Instant::now();
            assert_eq!(queue.put_timeout(7, timeout).unwrap_err().kind(), Timeout);
            assert!(started.elapsed() >= timeout);
        }
        harness.start("get six", &(queue.clone(), taken.clone())).join();
        assert!(queue.is_empty() && !queue.is_full());
        taken.close().unwrap();
        assert_eq!(taken.iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    });
}

fn put_four(line: &mut Line) {
    let queue: Queue<u64> = line.receive();
    (2..6).for_each(|item| queue.put(item).unwrap());
}

#[test]
fn mp_102_mp_106_an_empty_queue_times_out_in_every_form_of_get() {
    each_harness(|harness| {
        let queue = Queue::<u64>::unbounded().unwrap();
        harness.start("put four", &queue).join();
        assert!(!queue.is_empty());
        assert_eq!(queue.get(None).unwrap(), 2);
        assert_eq!(queue.get(Duration::MAX).unwrap(), 3);
        assert_eq!(queue.get(Duration::ZERO).unwrap(), 4);
        assert_eq!(queue.try_get().unwrap(), Some(5));
        assert!(queue.is_empty());
        assert_eq!(queue.try_get().unwrap(), None);
        for timeout in [Duration::ZERO, MOMENT] {
            let started = Instant::now();
            assert_eq!(queue.get(timeout).unwrap_err().kind(), Timeout);
            assert!(started.elapsed() >= timeout);
        }
    });
}

fn put_ten_more(line: &mut Line) {
    let queue: Queue<u64> = line.receive();
    (10..20).for_each(|item| queue.put(item).unwrap());
}

#[test]
fn mp_103_items_of_a_parent_and_of_its_child_arrive_in_order() {
    each_harness(|harness| {
        let queue = Queue::<u64>::unbounded().unwrap();
        (0..10).for_each(|item| queue.put(item).unwrap());
        harness.start("put ten more", &queue).join();
        assert!((0..20).all(|item| queue.get(None).unwrap() == item));
        assert_eq!(queue.try_get().unwrap(), None);
    });
}

#[test]
fn mp_104_the_length_of_a_queue_is_exact() {
    let queue = Queue::<u64>::unbounded().unwrap();
    let mut lengths = vec![queue.len()];
    for _ in 0..2 {
        queue.put(1).unwrap();
        lengths.push(queue.len());
    }
    for _ in 0..2 {
        queue.get(None).unwrap();
        lengths.push(queue.len());
    }
    assert_eq!(lengths, [0, 1, 2, 1, 0]);
}

fn finish_until_closed(line: &mut Line) {
    let queue: JoinableQueue<u64> = line.receive();
    while queue.get(None).is_ok() {
        queue.task_done().unwrap();
    }
}

#[test]
fn mp_105_a_join_returns_when_four_workers_have_finished_ten_items() {
    each_harness(|harness| {
        let queue = JoinableQueue::<u64>::unbounded().unwrap();
        let workers: Vec<_> = (0..4).map(|_| harness.start("finish until closed", &queue)).collect();
        (0..10).for_each(|item| queue.put(item).unwrap());
        queue.join(None).unwrap();
        assert!(queue.is_empty());
        assert_eq!(queue.task_done().unwrap_err().kind(), InvalidState);
        queue.close().unwrap();
        workers.into_iter().for_each(|worker| worker.join());
    });
}

#[test]
fn mp_111_a_closed_queue_refuses_all_calls_and_can_be_joined() {
    let queue = JoinableQueue::<u64>::bounded(2).unwrap();
    queue.close().unwrap();
    assert_eq!(queue.put(1).unwrap_err().kind(), Closed);
    assert_eq!(queue.put_timeout(1, MOMENT).unwrap_err().kind(), Closed);
    assert_eq!(queue.try_put(1).unwrap_err().kind(), Closed);
    assert_eq!(queue.get(None).unwrap_err().kind(), Closed);
    assert_eq!(queue.try_get().unwrap_err().kind(), Closed);
    queue.join(None).unwrap();
}

#[test]
fn mp_112_what_is_in_a_closed_queue_is_read_and_finished() {
    let queue = JoinableQueue::<u64>::unbounded().unwrap();
    (0..2).for_each(|item| queue.put(item).unwrap());
    queue.close().unwrap();
    assert_eq!(queue.put(2).unwrap_err().kind(), Closed);
    assert_eq!((queue.get(None).unwrap(), queue.try_get().unwrap()), (0, Some(1)));
    assert_eq!(queue.get(None).unwrap_err().kind(), Closed);
    for _ in 0..2 {
        assert_eq!(queue.join(Duration::ZERO).unwrap_err().kind(), Timeout);
        queue.task_done().unwrap();
    }
    queue.join(None).unwrap();
}

#[test]
fn mp_113_mp_114_a_queue_is_emptied_by_reading_it_to_its_end() {
    let queue = JoinableQueue::<u64>::unbounded().unwrap();
    (0..3).for_each(|item| queue.put(item).unwrap());
    assert_eq!(queue.get(None).unwrap(), 0);
    queue.close().unwrap();
    // What takes the place of `shutdown(immediate=True)`: the rest is taken and reported.
    while queue.get(None).is_ok() {
        queue.task_done().unwrap();
    }
    // The item that was handed out before still counts.
    assert_eq!(queue.join(Duration::ZERO).unwrap_err().kind(), Timeout);
    queue.task_done().unwrap();
    queue.join(None).unwrap();
}

fn get_and_put_back(line: &mut Line) {
    let (queue, back): (SimpleQueue<bool>, SimpleQueue<bool>) = line.receive();
    back.put(queue.is_empty()).unwrap();
    for _ in 0..2 {
        back.put(queue.get(None).unwrap()).unwrap();
    }
    back.put(queue.is_empty()).unwrap();
}

#[test]
fn mp_115_a_simple_queue_is_the_same_for_both_processes() {
    each_harness(|harness| {
        let [queue, back] = [(); 2].map(|()| SimpleQueue::<bool>::unbounded().unwrap());
        assert!(queue.is_empty());
        queue.put(true).unwrap();
        queue.put(false).unwrap();
        harness.start("get and put back", &(queue.clone(), back.clone())).join();
        assert_eq!([(); 4].map(|()| back.get(None).unwrap()), [false, true, false, true]);
        assert!(queue.is_empty() && back.is_empty());
    });
}

#[test]
fn mp_109_mp_116_mp_117_mp_118_a_queue_may_be_closed_twice_and_asked_afterwards() {
    let queue = SimpleQueue::<u64>::unbounded().unwrap();
    queue.close().unwrap();
    queue.close().unwrap();
    assert_eq!((queue.is_empty(), queue.len()), (true, 0));
}

fn put_into_the_queue(line: &mut Line) {
    let queue: Queue<u64> = line.receive();
    queue.put(42).unwrap();
}

fn queue_of_a_child(line: &mut Line) {
    let answers: Queue<Queue<u64>> = line.receive();
    let own = Queue::unbounded().unwrap();
    child("put into the queue", &own).join();
    answers.put(own).unwrap();
}

#[test]
fn mp_119_a_process_of_a_process_uses_the_queue_that_its_parent_made() {
    let answers = Queue::<Queue<u64>>::unbounded().unwrap();
    child("queue of a child", &answers).join();
    assert_eq!(answers.get(None).unwrap().get(None).unwrap(), 42);
}
