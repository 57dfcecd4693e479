//! The smallest bound, the shortest and the longest messages and waits, and a program without descriptors.
//!
//! `LIMITS=long cargo test --release -p concurrent-futures-sync --test it extremes` also sends messages of 1 GiB.
#![allow(unsafe_code)]

use std::{thread, time::Duration};

use executor_core::{
    Error,
    ErrorKind::{self, Timeout},
    Executor,
};
use process_pool::ProcessPoolExecutor;
use process_sync::{
    Array, Barrier, BoundedSemaphore, Condition, Event, JoinableQueue, Lock, Queue, RLock, RwLock, Semaphore, pipe,
    wait,
};

use crate::support::{Line, Role, child};

pub const ROLES: &[(&str, Role)] =
    &[("extreme producer", produce), ("extreme consumer", consume), ("parent at the limit", reach_the_limit)];

const ITEMS: u64 = 300;

fn produce(line: &mut Line) {
    let queue: Queue<u64> = line.receive();
    (1..=ITEMS).for_each(|item| queue.put(item).unwrap());
}

fn consume(line: &mut Line) {
    let (queue, sums): (Queue<u64>, Queue<(u64, u64)>) = line.receive();
    let (count, sum) = queue.iter().fold((0, 0), |(count, sum), item| (count + 1, sum + item));
    sums.put((count, sum)).unwrap();
}

#[test]
fn four_producers_and_four_consumers_share_one_place() {
    test_support::watched(|| {
        let (queue, sums) = (Queue::<u64>::bounded(1).unwrap(), Queue::<(u64, u64)>::unbounded().unwrap());
        let producers: Vec<_> = (0..4).map(|_| child("extreme producer", &queue)).collect();
        let consumers: Vec<_> = (0..4).map(|_| child("extreme consumer", &(queue.clone(), sums.clone()))).collect();
        producers.into_iter().for_each(|producer| producer.join());
        queue.close().unwrap();
        consumers.into_iter().for_each(|consumer| consumer.join());
        sums.close().unwrap();
        let (count, sum) = sums.iter().fold((0, 0), |(counts, sums), (count, sum)| (counts + count, sums + sum));
        assert_eq!((count, sum), (4 * ITEMS, 4 * ITEMS * (ITEMS + 1) / 2));
    });
}

#[test]
fn a_message_may_be_empty() {
    let queue = Queue::<Vec<u8>>::bounded(2).unwrap();
    queue.put(Vec::new()).unwrap();
    assert!(queue.get(None).unwrap().is_empty());
    let nothing = Queue::<()>::unbounded().unwrap();
    (0..3).for_each(|_| nothing.put(()).unwrap());
    nothing.close().unwrap();
    assert_eq!(nothing.iter().count(), 3);
    let (mine, other) = pipe::<String, ()>().unwrap();
    mine.send(String::new()).unwrap();
    other.send(()).unwrap();
    assert_eq!((other.recv(None).unwrap(), mine.recv(None).unwrap()), (String::new(), ()));
}

#[test]
fn a_message_may_be_huge() {
    let is_long = std::env::var("LIMITS").is_ok_and(|limits| limits == "long");
    let length = if is_long { 1 << 30 } else { 20 << 20 };
    let message: Vec<u8> = (0..length).map(|at| (at >> 12) as u8).collect();
    let queue = Queue::<Vec<u8>>::builder().max_bytes(length + 100).build().unwrap();
    queue.put(&message).unwrap();
    assert!(queue.is_full() || length > queue.len());
    assert!(queue.get(None).unwrap() == message);
    assert_eq!(queue.put(vec![0; length + 100]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let (mine, other) = pipe::<Vec<u8>, ()>().unwrap();
    mine.send(&message).unwrap();
    assert!(other.recv(None).unwrap() == message);
}

fn kind<T>(result: Result<T, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn a_wait_of_no_time_ends_and_says_that_its_time_is_over() {
    test_support::watched(|| {
        const NOW: Duration = Duration::ZERO;
        let queue = Queue::<u64>::bounded(1).unwrap();
        assert_eq!(kind(queue.get(NOW)), Some(Timeout));
        queue.put_timeout(1, NOW).unwrap();
        assert_eq!(kind(queue.put_timeout(2, NOW)), Some(Timeout));
        assert_eq!(queue.get(NOW).unwrap(), 1);
        let joinable = JoinableQueue::<u64>::unbounded().unwrap();
        joinable.join(NOW).unwrap();
        joinable.put(1).unwrap();
        assert_eq!(kind(joinable.join(NOW)), Some(Timeout));
        let (mine, other) = pipe::<u64, u64>().unwrap();
        assert_eq!((kind(mine.recv(NOW)), mine.poll(NOW), wait(&[&mine], NOW)), (Some(Timeout), false, vec![]));
        other.send(3).unwrap();
        assert!(mine.poll(NOW));
        assert_eq!(mine.recv(NOW).unwrap(), 3);

        let (lock, rlock, rw, array) =
            (Lock::new().unwrap(), RLock::new().unwrap(), RwLock::new().unwrap(), Array::<u8>::new(1).unwrap());
        drop((lock.lock_timeout(NOW).unwrap(), rlock.lock_timeout(NOW).unwrap(), array.lock_timeout(NOW).unwrap()));
        drop(rw.read_timeout(NOW).unwrap());
        drop(rw.write_timeout(NOW).unwrap());
        let semaphores = (Semaphore::new(1).unwrap(), BoundedSemaphore::new(1).unwrap());
        let _held = (lock.lock().unwrap(), rlock.lock().unwrap(), rw.write().unwrap(), array.lock().unwrap());
        let _permits = (semaphores.0.acquire(NOW).unwrap(), semaphores.1.acquire(NOW).unwrap());
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(
                    (kind(lock.lock_timeout(NOW)), kind(rlock.lock_timeout(NOW))),
                    (Some(Timeout), Some(Timeout))
                );
                assert_eq!((kind(rw.read_timeout(NOW)), kind(rw.write_timeout(NOW))), (Some(Timeout), Some(Timeout)));
                assert_eq!(kind(array.lock_timeout(NOW)), Some(Timeout));
                assert_eq!(kind(semaphores.0.acquire(NOW)), Some(Timeout));
                assert_eq!(kind(semaphores.1.acquire(NOW)), Some(Timeout));
            });
        });
        let event = Event::new().unwrap();
        assert!(!event.wait(NOW));
        assert_eq!(kind(Barrier::new(2).unwrap().wait(NOW)), Some(Timeout));
        assert_eq!(Barrier::new(1).unwrap().wait(NOW).unwrap(), 0);
        let lock = Lock::new().unwrap();
        let condition = Condition::new(&lock).unwrap();
        let (guard, notified) = condition.wait(lock.lock().unwrap(), NOW).unwrap();
        let (guard, holds) = condition.wait_for(guard, NOW, || true).unwrap();
        assert!(!notified && holds && lock.is_locked());
        drop(guard);
    });
}

/// Calls `wait` in a thread, and then what it waits for.
fn waits<R: Send>(wait: impl FnOnce() -> R + Send, end: impl FnOnce()) -> R {
    thread::scope(|scope| {
        let waiting = scope.spawn(wait);
        end();
        waiting.join().unwrap()
    })
}

#[test]
fn a_wait_of_the_longest_time_is_a_wait_without_end() {
    test_support::watched(|| {
        const EVER: Duration = Duration::MAX;
        let queue = Queue::<u64>::bounded(1).unwrap();
        assert_eq!(waits(|| queue.get(EVER).unwrap(), || queue.put(1).unwrap()), 1);
        queue.put(2).unwrap();
        waits(|| queue.put_timeout(3, EVER).unwrap(), || assert_eq!(queue.get(None).unwrap(), 2));
        let joinable = JoinableQueue::<u64>::unbounded().unwrap();
        joinable.put(1).unwrap();
        waits(
            || joinable.join(EVER).unwrap(),
            || {
                joinable.get(None).unwrap();
                joinable.task_done().unwrap();
            },
        );
        let (mine, other) = pipe::<u64, u64>().unwrap();
        assert_eq!(waits(|| mine.recv(EVER).unwrap(), || other.send(1).unwrap()), 1);
        assert!(waits(|| mine.poll(EVER), || other.send(1).unwrap()));
        assert_eq!(wait(&[&mine], EVER), [0]);

        let (lock, rlock, rw, array) =
            (Lock::new().unwrap(), RLock::new().unwrap(), RwLock::new().unwrap(), Array::<u8>::new(1).unwrap());
        let guard = lock.lock().unwrap();
        waits(|| drop(lock.lock_timeout(EVER).unwrap()), || drop(guard));
        let guard = rlock.lock().unwrap();
        waits(|| drop(rlock.lock_timeout(EVER).unwrap()), || drop(guard));
        let guard = array.lock().unwrap();
        waits(|| drop(array.lock_timeout(EVER).unwrap()), || drop(guard));
        let guard = rw.write().unwrap();
        waits(|| drop(rw.read_timeout(EVER).unwrap()), || drop(guard));
        let guard = rw.read().unwrap();
        waits(|| drop(rw.write_timeout(EVER).unwrap()), || drop(guard));
        let (semaphore, bounded) = (Semaphore::new(1).unwrap(), BoundedSemaphore::new(1).unwrap());
        let permit = semaphore.acquire(EVER).unwrap();
        waits(|| drop(semaphore.acquire(EVER).unwrap()), || drop(permit));
        let permit = bounded.acquire(EVER).unwrap();
        waits(|| drop(bounded.acquire(EVER).unwrap()), || drop(permit));
        let event = Event::new().unwrap();
        assert!(waits(|| event.wait(EVER), || event.set()));
        let barrier = Barrier::new(2).unwrap();
        assert!(waits(|| barrier.wait(EVER).unwrap(), || assert!(barrier.wait(EVER).unwrap() < 2)) < 2);
        let condition = Condition::new(&lock).unwrap();
        let (told, tells) = std::sync::mpsc::channel();
        let waiting = || {
            let guard = lock.lock().unwrap();
            told.send(()).unwrap();
            condition.wait(guard, EVER).unwrap().1
        };
        let notify = || {
            tells.recv().unwrap();
            // It has released the lock for its wait.
            let _guard = lock.lock().unwrap();
            condition.notify_all();
        };
        assert!(waits(waiting, notify));
    });
}

fn set_limit(count: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: count, rlim_max: 1000 };
    // SAFETY: the limit is read from a valid place.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

/// A program that has no descriptors left when its workers return objects.
fn reach_the_limit(line: &mut Line) {
    let pool = ProcessPoolExecutor::new(1).unwrap();
    let make = |count: u32| (0..count).map(|_| Lock::new().unwrap()).collect::<Vec<Lock>>();
    assert_eq!(pool.submit(make, 2).unwrap().result(None).unwrap().len(), 2);
    set_limit(0);
    for count in [1, 3, 40] {
        let error = pool.submit(make, count).unwrap().result(None).unwrap_err();
        assert!(error.to_string().contains("raise the limit of descriptors"), "{error}");
    }
    // Arguments need none, and neither do results without handles.
    assert_eq!(pool.submit(|n: u64| n + 1, 1).unwrap().result(None).unwrap(), 2);
    set_limit(1000);
    for lock in pool.submit(make, 40).unwrap().result(None).unwrap() {
        drop(lock.lock().unwrap());
    }
    line.mark();
}

#[test]
fn a_program_without_descriptors_is_told_so_and_gets_later_results() {
    test_support::watched(|| {
        let mut program = child("parent at the limit", &());
        program.line.wait_mark();
        program.join();
    });
}
