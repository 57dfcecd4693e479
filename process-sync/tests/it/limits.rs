//! Forked children, and the limit of descriptors.
#![allow(unsafe_code)]

use std::time::Duration;

use executor_core::{
    Error,
    ErrorKind::{self, Broken},
};
use process_sync::{
    Array, Barrier, Condition, Event, JoinableQueue, Lock, Queue, RLock, RwLock, Semaphore, Value, pipe,
};

use crate::support::{Line, Role, child};

pub const ROLES: &[(&str, Role)] = &[("fork", fork), ("reach the limit", reach_the_limit)];

fn kind<T>(result: Result<T, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Forks while this process holds a lock, and uses every object in the child.
fn fork(line: &mut Line) {
    let lock: Lock = line.receive();
    let queue = Queue::<u64>::bounded(2).unwrap();
    queue.put(1).unwrap();
    let (joinable, rlock, rw) =
        (JoinableQueue::<u64>::unbounded().unwrap(), RLock::new().unwrap(), RwLock::new().unwrap());
    let (semaphore, event, barrier) = (Semaphore::new(1).unwrap(), Event::new().unwrap(), Barrier::new(2).unwrap());
    let (value, array) = (Value::new(7_u64).unwrap(), Array::from(&[1, 2]).unwrap());
    let condition = Condition::new(&lock).unwrap();
    let (guard, permit) = (lock.lock().unwrap(), semaphore.acquire(None).unwrap());
    // SAFETY: the child uses nothing that another thread of this process can have locked but what is under test.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            assert_eq!(kind(lock.lock()), Some(Broken));
            assert_eq!(kind(lock.try_lock()), Some(Broken));
            drop((lock.recover(), lock.is_locked()));
            assert_eq!(kind(rlock.lock()), Some(Broken));
            assert_eq!((kind(rw.read()), kind(rw.try_write())), (Some(Broken), Some(Broken)));
            drop((rlock.recover(), rw.recover()));
            assert_eq!((kind(queue.put(1)), kind(queue.try_get())), (Some(Broken), Some(Broken)));
            assert_eq!((kind(queue.close()), queue.len(), queue.is_full()), (Some(Broken), 1, false));
            assert_eq!((kind(joinable.task_done()), kind(joinable.join(None))), (Some(Broken), Some(Broken)));
            assert_eq!((kind(semaphore.acquire(None)), kind(semaphore.release(1))), (Some(Broken), Some(Broken)));
            event.set();
            event.clear();
            assert!(!event.is_set() && !event.wait(None));
            assert_eq!(kind(barrier.wait(None)), Some(Broken));
            barrier.reset();
            barrier.abort();
            assert_eq!((barrier.parties(), barrier.waiting(), barrier.is_broken()), (2, 0, false));
            condition.notify_one();
            condition.notify_all();
            value.set(8);
            assert_eq!((value.get(), value.update(|value| *value + 1)), (7, 8));
            assert_eq!((kind(array.lock()), kind(array.get(0)), array.len()), (Some(Broken), Some(Broken), 2));
            // The child can make objects of its own.
            let own = Lock::new().unwrap();
            drop(own.lock().unwrap());
            drop(permit);
            drop(guard);
            drop((queue, joinable, rlock, rw, event, barrier, value, array, condition));
        }));
        // SAFETY: it ends this process immediately.
        unsafe { libc::_exit(i32::from(outcome.is_err())) }
    }
    let mut status = 0;
    // SAFETY: the status is written to a valid place.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    assert!(lock.is_locked() && !event.is_set() && semaphore.available() == 0);
    assert_eq!((value.get(), queue.try_get().unwrap()), (7, Some(1)));
    line.mark();
    line.wait_mark();
    drop(guard);
}

#[test]
fn objects_in_a_forked_child_return_errors_and_the_parent_goes_on() {
    let lock = Lock::new().unwrap();
    let mut partner = child("fork", &lock);
    partner.line.wait_mark();
    assert!(lock.is_locked(), "a child that ended has not released the lock of its parent");
    partner.line.mark();
    partner.join();
    drop(lock.lock().unwrap());
}

/// Makes objects up to the limit of descriptors, and uses those that it has.
fn reach_the_limit(line: &mut Line) {
    let queue: Queue<Lock> = line.receive();
    let first = Lock::new().unwrap();
    let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
    // SAFETY: the limit is read from a valid place.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let mut locks = Vec::new();
    let error = loop {
        match Lock::new() {
            Ok(lock) => locks.push(lock),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().ends_with("raise the limit of descriptors (ulimit -n)"), "{error}");
    drop((first.lock().unwrap(), locks[0].lock().unwrap()));
    for error in
        [kind(pipe::<u8, u8>()), kind(Queue::<u8>::unbounded()), kind(Value::new(1_u8)), kind(Condition::new(&first))]
    {
        assert_eq!(error, Some(ErrorKind::Other));
    }
    // An item whose descriptors find no room stays in the queue.
    let error = queue.get(Duration::from_secs(60)).unwrap_err();
    assert!(error.to_string().ends_with("raise the limit of descriptors (ulimit -n)"), "{error}");
    assert_eq!(queue.len(), 1);
    locks.truncate(10);
    drop(queue.get(None).unwrap().lock().unwrap());
    assert!(queue.is_empty());
}

#[test]
fn the_limit_of_descriptors_is_an_error_that_says_what_to_raise() {
    let queue = Queue::unbounded().unwrap();
    queue.put(Lock::new().unwrap()).unwrap();
    child("reach the limit", &queue).join();
}
