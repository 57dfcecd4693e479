//! Cases of `_TestLock`, `_TestSemaphore`, `_TestCondition`, `_TestEvent` and `_TestBarrier`.

use std::time::{Duration, Instant};

use executor_core::ErrorKind::{Broken, Timeout};
use process_sync::{Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore, Value};

use crate::support::{Harness, Line, Role, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("are they locked", are_they_locked),
    ("count a notification", count_a_notification),
    ("set the event", set_the_event),
    ("pass it many times", pass_it_many_times),
    ("act for all", act_for_all),
    ("wait for four", wait_for_four),
];

const MOMENT: Duration = Duration::from_millis(5);

fn are_they_locked(line: &mut Line) {
    let (lock, reentrant): (Lock, RLock) = line.receive();
    line.send(&(lock.is_locked(), reentrant.is_locked()));
    line.send(&(lock.try_lock().unwrap().is_some(), reentrant.try_lock().unwrap().is_some()));
}

#[test]
fn mp_304_another_process_sees_whether_a_lock_is_held() {
    each_harness(|harness| {
        let (lock, reentrant) = (Lock::new().unwrap(), RLock::new().unwrap());
        let ask = |held: bool| {
            let mut partner = harness.start("are they locked", &(lock.clone(), reentrant.clone()));
            assert_eq!(partner.line.receive::<(bool, bool)>(), (held, held));
            assert_eq!(partner.line.receive::<(bool, bool)>(), (!held, !held));
            partner.join();
        };
        ask(false);
        let (held, also_held) = (lock.lock().unwrap(), reentrant.lock().unwrap());
        ask(true);
        drop((held, also_held));
        ask(false);
    });
}

#[test]
fn mp_305_debug_says_whether_a_lock_is_held() {
    let (lock, reentrant) = (Lock::new().unwrap(), RLock::new().unwrap());
    let shown = || (format!("{lock:?}"), format!("{reentrant:?}"));
    let (one, other) = shown();
    assert!(one.contains("locked: false") && other.contains("locked: false"), "{one} {other}");
    let (_held, _also_held) = (lock.lock().unwrap(), reentrant.lock().unwrap());
    let (one, other) = shown();
    assert!(one.contains("locked: true") && other.contains("locked: true"), "{one} {other}");
}

#[test]
fn mp_306_the_permits_of_a_semaphore_are_counted() {
    let semaphore = Semaphore::new(2).unwrap();
    assert_eq!(semaphore.available(), 2);
    let first = semaphore.acquire(None).unwrap();
    assert_eq!(semaphore.available(), 1);
    let second = semaphore.acquire(None).unwrap();
    assert_eq!(semaphore.available(), 0);
    assert!(semaphore.try_acquire().unwrap().is_none());
    drop(first);
    assert_eq!(semaphore.available(), 1);
    drop(second);
    assert_eq!(semaphore.available(), 2);
    semaphore.release(1).unwrap();
    semaphore.release(1).unwrap();
    assert_eq!(semaphore.available(), 4);
}

#[test]
fn mp_308_a_semaphore_without_permits_times_out_in_every_form_of_acquire() {
    let semaphore = Semaphore::new(0).unwrap();
    let bounded = BoundedSemaphore::new(1).unwrap();
    let _held = bounded.acquire(None).unwrap();
    assert!(semaphore.try_acquire().unwrap().is_none() && bounded.try_acquire().unwrap().is_none());
    for timeout in [Duration::ZERO, MOMENT] {
        let started = Instant::now();
        assert_eq!(semaphore.acquire(timeout).map(drop).unwrap_err().kind(), Timeout);
        assert_eq!(bounded.acquire(timeout).map(drop).unwrap_err().kind(), Timeout);
        assert!(started.elapsed() >= 2 * timeout);
    }
}

type Sleepers = (Lock, Condition, Value<u64>);

fn count_a_notification(line: &mut Line) {
    let ((lock, condition, woken), timeout): (Sleepers, Option<Duration>) = line.receive();
    let guard = lock.lock().unwrap();
    line.mark();
    let (_guard, notified) = condition.wait(guard, timeout).unwrap();
    woken.update(|woken| *woken += u64::from(notified));
}

#[test]
fn mp_309_as_many_sleepers_wake_as_notifications_are_sent() {
    each_harness(|harness| {
        let lock = Lock::new().unwrap();
        let condition = Condition::new(&lock).unwrap();
        let (parts, woken) = ((lock.clone(), condition.clone()), Value::new(0_u64).unwrap());
        let sleepers = |count: usize, timeout: Option<Duration>| {
            let all = (parts.0.clone(), parts.1.clone(), woken.clone());
            // Both kinds of sleepers wait for the same condition.
            let start = |n: usize| if n % 2 == 0 { harness } else { Harness::Threads };
            let start = |n: usize| start(n).start("count a notification", &(all.clone(), timeout));
            let mut started: Vec<_> = (0..count).map(start).collect();
            started.iter_mut().for_each(|sleeper| sleeper.line.wait_mark());
            started
        };
        // Those whose time is over take no notification.
        sleepers(4, Some(MOMENT)).into_iter().for_each(|sleeper| sleeper.join());
        assert_eq!(woken.get(), 0);
        let started = sleepers(6, None);
        for expected in [1, 2, 4, 6] {
            let guard = lock.lock().unwrap();
            (woken.get()..expected).for_each(|_| condition.notify_one());
            drop(guard);
            test_support::wait_until("the sleepers to wake", || woken.get() >= expected);
            assert_eq!(woken.get(), expected);
        }
        started.into_iter().for_each(|sleeper| sleeper.join());
    });
}

fn wait_for_four(line: &mut Line) {
    let (lock, condition, number): Sleepers = line.receive();
    let guard = lock.lock().unwrap();
    line.mark();
    let (_guard, holds) = condition.wait_for(guard, None, || number.get() == 4).unwrap();
    assert!(holds);
}

#[test]
fn mp_310_a_wait_says_whether_it_was_notified_and_a_predicate_has_a_deadline() {
    each_harness(|harness| {
        let lock = Lock::new().unwrap();
        let condition = Condition::new(&lock).unwrap();
        let number = Value::new(0_u64).unwrap();
        let started = Instant::now();
        let (guard, notified) = condition.wait(lock.lock().unwrap(), MOMENT).unwrap();
        assert!(!notified && started.elapsed() >= MOMENT);
        let (guard, holds) = condition.wait_for(guard, MOMENT, || number.get() == 4).unwrap();
        assert!(!holds && started.elapsed() >= 2 * MOMENT);
        drop(guard);

        let mut waiter = harness.start("wait for four", &(lock.clone(), condition.clone(), number.clone()));
        waiter.line.wait_mark();
        for _ in 0..4 {
            let guard = lock.lock().unwrap();
            number.update(|number| *number += 1);
            condition.notify_one();
            drop(guard);
        }
        waiter.join();
    });
}

fn set_the_event(line: &mut Line) {
    let event: Event = line.receive();
    event.set();
}

#[test]
fn mp_311_an_event_is_seen_by_another_process_and_can_be_cleared() {
    each_harness(|harness| {
        let event = Event::new().unwrap();
        for timeout in [Duration::ZERO, MOMENT] {
            let started = Instant::now();
            assert!(!event.wait(timeout) && started.elapsed() >= timeout);
        }
        event.set();
        assert!(event.is_set() && event.wait(None) && event.wait(MOMENT));
        event.clear();
        assert!(!event.is_set() && !event.wait(Duration::ZERO));
        let setter = harness.start("set the event", &event);
        assert!(event.wait(None));
        setter.join();
    });
}

fn pass_it_many_times(line: &mut Line) {
    let (barrier, first, passed): (Barrier, Value<u64>, Value<u64>) = line.receive();
    for _ in 0..100 {
        if barrier.wait(None).unwrap() == 0 {
            first.update(|first| *first += 1);
        }
        passed.update(|passed| *passed += 1);
    }
}

#[test]
fn mp_312_a_barrier_gives_each_party_a_place_in_each_of_many_rounds() {
    each_harness(|harness| {
        let barrier = Barrier::new(5).unwrap();
        let (first, passed) = (Value::new(0_u64).unwrap(), Value::new(0_u64).unwrap());
        let all = (barrier.clone(), first.clone(), passed.clone());
        let parties: Vec<_> = (0..5).map(|_| harness.start("pass it many times", &all)).collect();
        parties.into_iter().for_each(|party| party.join());
        assert_eq!((first.get(), passed.get(), barrier.waiting()), (100, 500, 0));
    });
}

fn act_for_all(line: &mut Line) {
    let (barrier, acted): (Barrier, Value<u64>) = line.receive();
    // What takes the place of the `action` of a barrier: one party acts, and all wait for it.
    if barrier.wait(None).unwrap() == 0 {
        acted.update(|acted| *acted += 1);
    }
    barrier.wait(None).unwrap();
    assert_eq!(acted.get(), 1);
}

#[test]
fn mp_312_one_party_acts_for_all_and_an_aborted_barrier_can_be_reset() {
    each_harness(|harness| {
        let (barrier, acted) = (Barrier::new(3).unwrap(), Value::new(0_u64).unwrap());
        let all = (barrier.clone(), acted.clone());
        let parties: Vec<_> = (0..3).map(|_| harness.start("act for all", &all)).collect();
        parties.into_iter().for_each(|party| party.join());
        barrier.abort();
        assert!(barrier.is_broken());
        assert_eq!(barrier.wait(None).unwrap_err().kind(), Broken);
        barrier.reset();
        acted.set(0);
        let parties: Vec<_> = (0..3).map(|_| harness.start("act for all", &all)).collect();
        parties.into_iter().for_each(|party| party.join());
        assert!(!barrier.is_broken());
        assert_eq!(barrier.wait(MOMENT).unwrap_err().kind(), Timeout);
    });
}
