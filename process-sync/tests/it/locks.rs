//! `Lock`, `RLock`, `RwLock`.

use std::{thread, time::Duration};

use executor_core::ErrorKind::{Abandoned, InvalidState, Timeout};
use process_sync::{Lock, RLock, RwLock, Value};

use crate::support::{Harness, Line, Role, child, dead, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("count", count),
    ("lock and mark", lock_and_mark),
    ("lock and die", lock_and_die),
    ("rlock and die", rlock_and_die),
    ("wait for a lock", wait_for_a_lock),
    ("recover and die", recover_and_die),
    ("read and die", read_and_die),
    ("write and die", write_and_die),
    ("read and mark", read_and_mark),
    ("hold and fork", hold_and_fork),
];

const ROUNDS: u64 = 2_000;
const BRIEF: Duration = Duration::from_millis(20);

fn count(line: &mut Line) {
    let (lock, counter): (Lock, Value<[u64; 2]>) = line.receive();
    for _ in 0..ROUNDS {
        let guard = lock.lock().unwrap();
        let [left, right] = counter.get();
        assert_eq!(left, right);
        counter.set([left + 1, right]);
        counter.set([left + 1, right + 1]);
        drop(guard);
    }
}

#[test]
fn a_lock_is_held_by_one_at_a_time() {
    each_harness(|harness| {
        let (lock, counter) = (Lock::new().unwrap(), Value::new([0_u64; 2]).unwrap());
        let partners: Vec<_> = (0..3).map(|_| harness.start("count", &(lock.clone(), counter.clone()))).collect();
        partners.into_iter().for_each(|partner| partner.join());
        assert_eq!(counter.get(), [3 * ROUNDS; 2]);
        assert!(!lock.is_locked());
    });
}

fn lock_and_mark(line: &mut Line) {
    let lock: Lock = line.receive();
    let guard = lock.lock().unwrap();
    line.mark();
    line.wait_mark();
    drop(guard);
}

#[test]
fn a_held_lock_is_not_given_and_a_wait_times_out() {
    each_harness(|harness| {
        let lock = Lock::new().unwrap();
        let mut holder = harness.start("lock and mark", &lock);
        holder.line.wait_mark();
        assert!(lock.is_locked() && lock.try_lock().unwrap().is_none());
        for timeout in [Duration::ZERO, BRIEF] {
            let error = lock.lock_timeout(timeout).unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (Timeout, "the wait for its holder of a lock timed out")
            );
        }
        holder.line.mark();
        drop(lock.lock_timeout(Duration::MAX).unwrap());
        holder.join();
        assert!(lock.try_lock().unwrap().is_some());
    });
}

fn lock_and_die(line: &mut Line) {
    let lock: Lock = line.receive();
    let _guard = lock.lock().unwrap();
    line.mark();
    line.wait_for_death();
}

fn wait_for_a_lock(line: &mut Line) {
    let lock: Lock = line.receive();
    line.mark();
    assert_eq!(lock.lock().unwrap_err().kind(), Abandoned);
}

#[test]
fn a_lock_whose_holder_died_is_abandoned_for_all_until_one_recovers() {
    let lock = Lock::new().unwrap();
    let mut holder = child("lock and die", &lock);
    holder.line.wait_mark();
    let waiter = thread::spawn({
        let lock = lock.clone();
        move || lock.lock().map(drop).unwrap_err().kind()
    });
    let mut other = child("wait for a lock", &lock);
    other.line.wait_mark();
    holder.kill();
    assert_eq!(waiter.join().unwrap(), Abandoned);
    other.join();
    let error = lock.lock().unwrap_err();
    assert_eq!(
        error.to_string(),
        "a process died while it held this lock, so what the lock protects may be half changed: check it, and call \
         `recover`"
    );
    assert_eq!(lock.try_lock().unwrap_err().kind(), Abandoned);
    assert!(!lock.is_locked());
    drop(lock.recover());
    drop(lock.lock().unwrap());
}

fn recover_and_die(line: &mut Line) {
    let lock: Lock = line.receive();
    let _guard = lock.recover();
    line.mark();
    line.wait_for_death();
}

#[test]
fn a_recoverer_that_dies_abandons_the_lock_again() {
    let lock = Lock::new().unwrap();
    dead("lock and die", &lock);
    dead("recover and die", &lock);
    assert_eq!(lock.lock().unwrap_err().kind(), Abandoned);
    drop(lock.recover());
    drop(lock.lock().unwrap());
}

#[test]
fn a_panic_releases_a_lock_and_abandons_nothing() {
    let lock = Lock::new().unwrap();
    let panicked = thread::spawn({
        let lock = lock.clone();
        move || {
            let _guard = lock.lock().unwrap();
            panic!("while it holds the lock");
        }
    });
    assert!(panicked.join().is_err());
    drop(lock.lock().unwrap());
}

#[test]
fn a_thread_that_holds_a_lock_does_not_wait_for_itself() {
    let lock = Lock::new().unwrap();
    let guard = lock.lock().unwrap();
    let error = lock.lock().unwrap_err();
    assert_eq!(error.kind(), InvalidState);
    assert_eq!(error.to_string(), "this thread holds the lock already, and would wait for itself");
    assert_eq!(lock.clone().lock_timeout(BRIEF).unwrap_err().kind(), InvalidState);
    assert!(lock.try_lock().unwrap().is_none());
    drop(lock.recover());
    assert!(lock.is_locked(), "the guard of a thread that holds it already does nothing");
    drop(guard);
    drop(lock.lock().unwrap());
}

fn hold_and_fork(line: &mut Line) {
    let lock: Lock = line.receive();
    let _guard = lock.lock().unwrap();
    let mut command = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    line.send(&command.id());
    let _ = command.wait();
}

#[test]
fn what_a_dead_holder_has_started_does_not_keep_its_lock() {
    let lock = Lock::new().unwrap();
    let mut holder = child("hold and fork", &lock);
    let command: u32 = holder.line.receive();
    assert!(lock.is_locked());
    holder.kill();
    assert_eq!(lock.lock().unwrap_err().kind(), Abandoned);
    assert!(test_support::is_alive(command));
    test_support::kill(command, 9);
}

fn rlock_and_die(line: &mut Line) {
    let lock: RLock = line.receive();
    let _guards = (lock.lock().unwrap(), lock.lock().unwrap());
    line.mark();
    line.wait_for_death();
}

#[test]
fn a_reentrant_lock_is_free_after_its_last_guard() {
    let lock = RLock::new().unwrap();
    let outer = lock.lock().unwrap();
    let (inner, third) = (lock.recover(), lock.try_lock().unwrap().unwrap());
    let is_free = |lock: &RLock| {
        let lock = lock.clone();
        thread::spawn(move || lock.try_lock().unwrap().is_some()).join().unwrap()
    };
    for guard in [outer, third] {
        drop(guard);
        assert!(!is_free(&lock));
    }
    drop(inner);
    assert!(is_free(&lock));
}

#[test]
fn a_reentrant_lock_is_abandoned_by_a_death_however_often_it_was_taken() {
    let lock = RLock::new().unwrap();
    dead("rlock and die", &lock);
    assert_eq!(lock.lock().unwrap_err().kind(), Abandoned);
    let recovered = lock.recover();
    drop(lock.lock().unwrap());
    drop(recovered);
    assert!(!lock.is_locked());
}

fn read_and_mark(line: &mut Line) {
    let lock: RwLock = line.receive();
    let guard = lock.read().unwrap();
    line.mark();
    line.wait_mark();
    drop(guard);
}

fn read_and_die(line: &mut Line) {
    let lock: RwLock = line.receive();
    let _guard = lock.read().unwrap();
    line.mark();
    line.wait_for_death();
}

fn write_and_die(line: &mut Line) {
    let lock: RwLock = line.receive();
    let _guard = lock.write().unwrap();
    line.mark();
    line.wait_for_death();
}

#[test]
fn readers_read_together_and_a_writer_writes_alone() {
    each_harness(|harness: Harness| {
        let lock = RwLock::new().unwrap();
        let mut readers: Vec<_> = (0..2).map(|_| harness.start("read and mark", &lock)).collect();
        readers.iter_mut().for_each(|reader| reader.line.wait_mark());
        drop(lock.read().unwrap());
        assert!(lock.try_write().unwrap().is_none());
        assert_eq!(lock.write_timeout(BRIEF).unwrap_err().kind(), Timeout);
        assert!(lock.try_read().unwrap().is_some(), "a writer that gave up keeps nobody out");
        readers.iter_mut().for_each(|reader| reader.line.mark());
        let guard = lock.write().unwrap();
        assert_eq!(lock.read().unwrap_err().kind(), InvalidState);
        assert_eq!(lock.write().unwrap_err().kind(), InvalidState);
        let other = lock.clone();
        assert!(thread::spawn(move || other.try_read().unwrap().is_none()).join().unwrap());
        drop(guard);
        readers.into_iter().for_each(|reader| reader.join());
        let reading = lock.read().unwrap();
        assert_eq!(lock.write().unwrap_err().kind(), InvalidState);
        drop(reading);
    });
}

#[test]
fn a_reader_that_dies_abandons_nothing_and_a_writer_does() {
    let lock = RwLock::new().unwrap();
    dead("read and die", &lock);
    drop(lock.write().unwrap());
    dead("write and die", &lock);
    assert_eq!(lock.read().unwrap_err().kind(), Abandoned);
    assert_eq!(lock.write().unwrap_err().kind(), Abandoned);
    assert_eq!(lock.try_read().unwrap_err().kind(), Abandoned);
    drop(lock.recover());
    drop(lock.read().unwrap());
}

#[test]
fn a_writer_that_waits_is_let_in_before_new_readers() {
    let lock = RwLock::new().unwrap();
    let reading = lock.read().unwrap();
    let writer = thread::spawn({
        let lock = lock.clone();
        move || drop(lock.write().unwrap())
    });
    test_support::wait_until("the writer to wait", || {
        let lock = lock.clone();
        thread::spawn(move || lock.try_read().unwrap().is_none()).join().unwrap()
    });
    drop(lock.read().unwrap());
    drop(reading);
    writer.join().unwrap();
    drop(lock.read().unwrap());
}
