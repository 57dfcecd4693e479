//! The lock word, the monitor and the event count, run by loom in every order that it distinguishes, with processes
//! that die anywhere. Here a lost wake-up is a deadlock.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p concurrent-futures-sync --lib model
//! ```
//!
//! `LOOM_MAX_PREEMPTIONS=2` makes it fast.

use std::sync::Arc;

use loom::thread;

use super::Monitor;
use crate::{
    lock::word::{Answer, LockWord, OnDeath},
    sleep::{EventCount, LONGEST_SLEEP},
    sync::{Member, SharedMemory},
};

/// Two numbers that are equal in every state that was committed.
type Pair = [u64; 2];

const MONITOR: Monitor<Pair> = Monitor::at(0);
/// A lock of its own, and the word that it protects.
const LOCK: usize = 256;
const PROTECTED: usize = 264;
const EVENTS: EventCount = EventCount::at(320);

fn memory() -> Arc<SharedMemory> {
    Arc::new(SharedMemory::new(&[8, 64, 72, 128, 136, PROTECTED], &[0, LOCK, 320]))
}

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.map_or(preemptions, |asked| asked.min(preemptions)));
    builder.check(model);
}

/// Adds one to both numbers, as one change.
fn increment(memory: &SharedMemory, member: &Member) {
    let mut entered = MONITOR.enter(memory, member);
    let [left, right] = entered.state;
    assert_eq!(left, right, "a torn state");
    entered.state = [left + 1, right + 1];
    entered.commit();
}

#[test]
fn changes_exclude_each_other_and_sleepers_are_woken() {
    explore(3, || {
        let memory = memory();
        let threads: Vec<_> = (2..=3)
            .map(|number| {
                let memory = memory.clone();
                thread::spawn(move || increment(&memory, &memory.member(number)))
            })
            .collect();
        increment(&memory, &memory.member(1));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(MONITOR.look(&memory, &memory.member(1)), [3, 3]);
    });
}

#[test]
fn a_reader_without_the_lock_sees_a_whole_state_and_never_an_older_one() {
    explore(3, || {
        let memory = memory();
        let writer = thread::spawn({
            let memory = memory.clone();
            move || {
                let member = memory.member(2);
                (0..2).for_each(|_| increment(&memory, &member));
            }
        });
        // In a thread of its own, because loom does not stop the first thread before its first dependent access.
        let reader = thread::spawn(move || {
            let member = memory.member(1);
            let [left, right] = MONITOR.look(&memory, &member);
            assert_eq!(left, right, "a torn state");
            let [later, _] = MONITOR.look(&memory, &member);
            assert!(later >= left);
        });
        reader.join().unwrap();
        writer.join().unwrap();
    });
}

/// The places at which a process dies in a monitor.
#[derive(Clone, Copy, Debug)]
enum Death {
    BeforeCommit,
    AfterCommit,
}

#[test]
fn a_dead_process_leaves_the_state_before_or_after_and_two_others_go_on() {
    for death in [Death::BeforeCommit, Death::AfterCommit] {
        explore(2, move || {
            let memory = memory();
            let dying = thread::spawn({
                let memory = memory.clone();
                move || {
                    let member = memory.member(2);
                    let mut entered = MONITOR.enter(&memory, &member);
                    let [left, right] = entered.state;
                    entered.state = [left + 10, right + 10];
                    if matches!(death, Death::AfterCommit) {
                        entered.commit();
                    }
                    // It dies with the lock.
                    std::mem::forget(entered);
                    member.die();
                }
            });
            let other = thread::spawn({
                let memory = memory.clone();
                move || increment(&memory, &memory.member(3))
            });
            let member = memory.member(1);
            increment(&memory, &member);
            other.join().unwrap();
            dying.join().unwrap();
            increment(&memory, &member);
            let expected = if matches!(death, Death::AfterCommit) { 13 } else { 3 };
            assert_eq!(MONITOR.look(&memory, &member), [expected; 2]);
        });
    }
}

#[test]
fn a_death_with_a_lock_is_seen_by_all_until_one_of_two_recoverers_takes_over() {
    explore(2, || {
        let memory = memory();
        let dying = thread::spawn({
            let memory = memory.clone();
            move || {
                let member = memory.member(2);
                if LockWord::new(&memory, LOCK, &member).acquire(OnDeath::Abandon, None) == Answer::Held {
                    memory.word(PROTECTED).store(1, loom::sync::atomic::Ordering::Relaxed);
                    member.die();
                }
            }
        });
        let recover = |memory: &SharedMemory, number| {
            let member = memory.member(number);
            let lock = LockWord::new(memory, LOCK, &member);
            let mut answer = lock.acquire(OnDeath::Abandon, None);
            if answer == Answer::Abandoned {
                answer = lock.acquire(OnDeath::TakeOver, None);
            }
            let protected = memory.word(PROTECTED);
            let found = protected.load(loom::sync::atomic::Ordering::Relaxed);
            if answer == Answer::TakenOver {
                assert_eq!(found, 1, "what the dead process did is visible");
                protected.store(0, loom::sync::atomic::Ordering::Relaxed);
            } else {
                assert_eq!((answer, found), (Answer::Held, 0), "a healthy lock protects a healthy state");
            }
            lock.release();
            usize::from(answer == Answer::TakenOver)
        };
        let other = thread::spawn({
            let memory = memory.clone();
            move || recover(&memory, 3)
        });
        let taken_over = recover(&memory, 1) + other.join().unwrap();
        dying.join().unwrap();
        // If both were faster than the process that dies, it abandons the lock after them.
        let last = recover(&memory, 4);
        assert_eq!(taken_over + last, 1, "exactly one takes over");
    });
}

#[test]
fn a_third_that_ends_the_possession_of_the_dead_is_in_nobodys_way() {
    explore(2, || {
        let memory = memory();
        let dying = thread::spawn({
            let memory = memory.clone();
            move || {
                let member = memory.member(2);
                let mut entered = MONITOR.enter(&memory, &member);
                let [left, right] = entered.state;
                entered.state = [left + 10, right + 10];
                entered.commit();
                // It dies with the lock.
                std::mem::forget(entered);
                member.die();
            }
        });
        let third = thread::spawn({
            let memory = memory.clone();
            move || {
                let member = memory.member(3);
                MONITOR.on_death(&memory, &member);
            }
        });
        let member = memory.member(1);
        increment(&memory, &member);
        dying.join().unwrap();
        third.join().unwrap();
        increment(&memory, &member);
        assert_eq!(MONITOR.look(&memory, &member), [12; 2]);
    });
}

/// A count of items behind a monitor, and threads that wait for one.
fn put(memory: &SharedMemory, member: &Member) {
    increment(memory, member);
    EVENTS.notify_one(memory);
}

fn try_get(memory: &SharedMemory, member: &Member) -> bool {
    let mut entered = MONITOR.enter(memory, member);
    let [count, _] = entered.state;
    if count == 0 {
        return false;
    }
    entered.state = [count - 1; 2];
    entered.commit();
    true
}

fn get(memory: &SharedMemory, member: &Member) {
    while !try_get(memory, member) {
        let prepared = EVENTS.prepare(memory);
        if try_get(memory, member) {
            return;
        }
        EVENTS.sleep(memory, prepared, LONGEST_SLEEP);
    }
}

#[test]
fn each_of_several_notifications_wakes_a_waiter() {
    explore(2, || {
        let memory = memory();
        let waiter = thread::spawn({
            let memory = memory.clone();
            move || {
                let member = memory.member(2);
                (0..2).for_each(|_| get(&memory, &member));
            }
        });
        let member = memory.member(1);
        (0..2).for_each(|_| put(&memory, &member));
        waiter.join().unwrap();
    });
}

#[test]
fn each_of_two_waiters_is_woken() {
    explore(3, || {
        let memory = memory();
        let waiters: Vec<_> = (2..=3)
            .map(|number| {
                let memory = memory.clone();
                thread::spawn(move || get(&memory, &memory.member(number)))
            })
            .collect();
        let member = memory.member(1);
        (0..2).for_each(|_| put(&memory, &member));
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn a_notification_after_the_lock_needs_no_fence() {
    explore(3, || {
        let memory = memory();
        let waiters: Vec<_> = (2..=3)
            .map(|number| {
                let memory = memory.clone();
                thread::spawn(move || get(&memory, &memory.member(number)))
            })
            .collect();
        let member = memory.member(1);
        for _ in 0..2 {
            increment(&memory, &member);
            EVENTS.notify_one_after_lock(&memory);
        }
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn all_waiters_are_woken_together() {
    explore(2, || {
        let memory = memory();
        let waiters: Vec<_> = (2..=3)
            .map(|number| {
                let memory = memory.clone();
                thread::spawn(move || {
                    let member = memory.member(number);
                    while MONITOR.look(&memory, &member) == [0, 0] {
                        let prepared = EVENTS.prepare(&memory);
                        if MONITOR.look(&memory, &member) != [0, 0] {
                            return;
                        }
                        EVENTS.sleep(&memory, prepared, LONGEST_SLEEP);
                    }
                })
            })
            .collect();
        increment(&memory, &memory.member(1));
        EVENTS.notify_all(&memory);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn a_woken_waiter_that_dies_does_not_stop_the_other() {
    explore(2, || {
        let memory = memory();
        let dying = thread::spawn({
            let memory = memory.clone();
            move || {
                let member = memory.member(2);
                let prepared = EVENTS.prepare(&memory);
                if MONITOR.look(&memory, &member) == [0, 0] {
                    EVENTS.sleep(&memory, prepared, LONGEST_SLEEP);
                }
                member.die();
            }
        });
        let waiter = thread::spawn({
            let memory = memory.clone();
            move || get(&memory, &memory.member(3))
        });
        put(&memory, &memory.member(1));
        waiter.join().unwrap();
        // The other may have found the first item without a sleep, and then the process that dies needs another.
        put(&memory, &memory.member(1));
        dying.join().unwrap();
    });
}
