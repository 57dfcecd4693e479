//! Forked children, and the limits of descriptors.
#![allow(unsafe_code)]

use std::{thread, time::Duration};

use executor_core::{
    Error,
    ErrorKind::{self, Broken},
};
use process_sync::{
    Array, Barrier, Condition, Event, JoinableQueue, Lock, Queue, RLock, Receiver, RwLock, Semaphore, Value, pipe,
    pipe_simplex, wait,
};

use crate::support::{Line, Role, child};

pub const ROLES: &[(&str, Role)] = &[
    ("fork", fork),
    ("reach the limit", reach_the_limit),
    ("send to the limit", send_to_the_limit),
    ("wait without descriptors", wait_without_descriptors),
];

/// A user that nothing else of this machine is, so that nothing else counts for its limits.
const USER: libc::uid_t = 64_123;

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

fn limit_descriptors(to: libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written to and read from a valid place.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = to;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// Waits where the limit of descriptors lets the system wait for none.
fn wait_without_descriptors(line: &mut Line) {
    let receiver: Receiver<u8> = line.receive();
    limit_descriptors(0);
    let before = processor_time();
    let time = Duration::from_millis(300);
    assert!(!receiver.poll(time));
    assert_eq!(kind(receiver.recv(time)), Some(ErrorKind::Timeout));
    assert_eq!(wait(&[&receiver, &receiver], time), [0_usize; 0]);
    let taken = processor_time() - before;
    assert!(taken < time, "three waits of {time:?} took {taken:?} of a processor");
    limit_descriptors(100);
    assert!(!receiver.poll(Duration::ZERO));
    line.mark();
    assert!(receiver.poll(None));
    assert_eq!(receiver.recv(None).unwrap(), 1);
}

/// Returns the processor time of this thread.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is written to a valid place.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn a_wait_without_descriptors_takes_no_processor() {
    let (receiver, sender) = pipe_simplex::<u8>().unwrap();
    let mut partner = child("wait without descriptors", &receiver);
    partner.line.wait_mark();
    sender.send(1).unwrap();
    partner.join();
}

/// Puts descriptors on their way until the system takes no more, as an ordinary user: root is exempt from this limit.
fn send_to_the_limit(line: &mut Line) {
    let lock: Lock = line.receive();
    // SAFETY: system calls without pointers.
    unsafe {
        assert_eq!(libc::setresuid(USER, USER, USER), 0);
    }
    limit_descriptors(200);
    let (full, other) = (Queue::<Lock>::unbounded().unwrap(), Queue::<Lock>::unbounded().unwrap());
    let plain = Queue::unbounded().unwrap();
    let (receiver, sender) = pipe_simplex::<Lock>().unwrap();
    full.put(&lock).unwrap();
    while full.try_put(&lock).unwrap() {}

    // A get makes room in this queue, so it is full and no error.
    let brief = Duration::from_millis(1);
    assert_eq!(kind(full.put_timeout(&lock, brief)), Some(ErrorKind::Timeout));
    let waiting = thread::spawn({
        let (full, lock) = (full.clone(), lock.clone());
        move || full.put(&lock)
    });
    drop(full.get(None).unwrap());
    waiting.join().unwrap().unwrap();

    // Nothing that anyone does with these makes room.
    let errors = [other.try_put(&lock).err(), other.put_timeout(&lock, brief).err(), other.put(&lock).err()];
    for error in errors.into_iter().chain([sender.send(&lock).err()]) {
        let error = error.expect("the limit is reached");
        assert_eq!(error.kind(), ErrorKind::Other);
        let end = "have open, 200: receive some of them, or raise the limit of descriptors (ulimit -n)";
        assert!(error.to_string().ends_with(end), "{error}");
    }
    assert!(other.is_empty());
    plain.put(7_u8).unwrap();

    // A put goes on if another queue makes room, before or while it waits.
    let waiting = thread::spawn({
        let (other, lock) = (other.clone(), lock.clone());
        move || other.put(&lock)
    });
    drop(full.get(None).unwrap());
    waiting.join().unwrap().unwrap();
    assert_eq!(other.len(), 1);

    limit_descriptors(400);
    other.put(&lock).unwrap();
    sender.send(&lock).unwrap();
    drop((receiver.recv(None).unwrap(), other.get(None).unwrap(), lock.lock().unwrap()));
}

#[test]
fn descriptors_under_way_beyond_the_limit_are_an_error_unless_a_get_makes_room() {
    // SAFETY: a system call without arguments.
    if unsafe { libc::geteuid() } != 0 {
        return eprintln!("not tested: only root can become a user that no other process belongs to");
    }
    child("send to the limit", &Lock::new().unwrap()).join();
}
