//! Safe code that breaks every rule. The owner of a task makes its steps in random order while other threads use its
//! future, and hosts return wrong values. The outcome may be any error, but each value is dropped exactly once, and the
//! future completes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicIsize, Ordering::SeqCst},
    },
    time::Duration,
};

use executor_core::{
    Error, ErrorKind, Executor, Future, InlineExecutor, Task, TaskId, TaskOptions,
    function::{batch, entry_of, outcome},
    host::{self, Host, HostId},
    task,
};

use crate::support::{NO_WAIT, action, concurrently, panics};

/// Counts how many instances exist. It owns memory, so that a sanitizer detects a double drop.
struct Alive(Arc<AtomicIsize>, #[expect(dead_code, reason = "only its memory matters")] Box<u64>);

impl Alive {
    fn new(count: &Arc<AtomicIsize>) -> Alive {
        count.fetch_add(1, SeqCst);
        Alive(count.clone(), Box::new(7))
    }
}

impl Clone for Alive {
    fn clone(&self) -> Alive {
        Alive::new(&self.0)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// A random number generator with a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A host that returns `true` to every call.
struct ReturnsTrue;

impl Host for ReturnsTrue {
    fn withdraw(&self, _: TaskId, _: u64) -> bool {
        true
    }
    fn started(&self, _: TaskId, _: u64) -> bool {
        true
    }
    fn terminate(&self, _: TaskId, _: u64, _: Duration) -> bool {
        true
    }
}

fn steps_of_owner(task: Task, dice: &mut Dice, host: HostId) {
    for _ in 0..dice.roll(6) {
        match dice.roll(7) {
            0 => task.attach(host),
            1 => drop(task.encode(&mut Vec::new())),
            2 => drop(task.place(dice.roll(u64::MAX))),
            3 => drop(task.recall()),
            4 => drop(task.begin()),
            5 => task.ask_to_stop(),
            _ => drop((task.is_done(), task.has_left_queue(), format!("{task:?}"))),
        }
    }
    let error = || Error::new(ErrorKind::Other, "misused");
    match dice.roll(9) {
        0 => task.run(),
        1 => drop(task.run_quietly()),
        2 => drop(task.run_after(|| panic!("a back-end may panic here"))),
        3 => drop(task.complete(vec![1, 2, dice.roll(3) as u8])),
        4 => drop(task.fail(error())),
        5 => drop(task.refuse(error())),
        6 => drop(task.cancel()),
        7 => drop(task.withdraw()),
        _ => drop(task),
    }
}

fn steps_of_waiters(future: &Future<Alive>, dice: &mut Dice) {
    for _ in 0..dice.roll(6) {
        match dice.roll(6) {
            0 => drop(future.cancel()),
            1 => drop(future.result(NO_WAIT)),
            2 => drop(future.exception(NO_WAIT)),
            3 => drop(future.run_inline()),
            4 => drop(future.terminate(NO_WAIT)),
            _ => future.add_done_callback(|future| drop(future.result(NO_WAIT))),
        }
    }
}

#[test]
fn no_order_of_steps_loses_a_task_or_drops_a_value_twice() {
    let host: Arc<dyn Host> = Arc::new(ReturnsTrue);
    let registration = host::register(Arc::downgrade(&host));
    for seed in 0..3000 {
        let alive = Arc::new(AtomicIsize::new(0));
        let (captured, count) = (Alive::new(&alive), alive.clone());
        let (task, future) = Task::from_closure(TaskOptions::new(), move || {
            let _captured = captured;
            Alive::new(&count)
        });
        let (mut own, mut one, mut other) = (Dice(seed), Dice(seed ^ 0xaaaa), Dice(seed ^ 0x5555));
        concurrently(vec![
            action(|| steps_of_owner(task, &mut own, registration.id())),
            action(|| steps_of_waiters(&future, &mut one)),
            action(|| steps_of_waiters(&future, &mut other)),
        ]);
        assert!(future.done(), "seed {seed}: {future:?}");
        let shared = (seed % 2 == 0).then(|| future.shared());
        drop(
            shared
                .map(|shared| concurrently(vec![action(|| shared.result(NO_WAIT)), action(|| shared.result(NO_WAIT))])),
        );
        assert_eq!(alive.load(SeqCst), 0, "seed {seed}");
    }
}

#[test]
fn entries_outcomes_and_batches_accept_any_bytes() {
    let entry = entry_of(|texts: Vec<(String, Option<u64>)>| texts.len() as u64);
    let mut dice = Dice(1);
    for length in (0..40).cycle().take(4000) {
        let bytes: Vec<u8> =
            (0..length).map(|_| if dice.roll(2) == 0 { dice.roll(4) } else { dice.roll(256) } as u8).collect();
        let mut reply = Vec::new();
        entry.call(&bytes, &mut reply);
        assert!(!reply.is_empty());
        entry.call_taking(&mut bytes.clone(), &mut reply);
        entry.call_each(&mut batch::records(&bytes), &mut |record| !record.is_empty());
        let _ = (outcome::is_error(&bytes), batch::split_record(&bytes), format!("{:?}", batch::read_argument(&bytes)));
        let (task, future) = Task::from_closure(TaskOptions::new(), || 1u64);
        drop(task.complete(bytes));
        assert!(future.result(NO_WAIT).is_err(), "a closure has no reply");
    }
    assert!(panics(|| executor_core::codec::Bytes::from(&[1u8][..]).skip(2)), "there are fewer bytes");
}

#[test]
fn worker_guards_may_be_dropped_in_any_order_or_leaked() {
    let (one, other) = (task::enter_worker("one", HostId::NONE), task::enter_worker("other", HostId::NONE));
    drop(one);
    drop(other);
    // On a new thread, so that the guard has no earlier state to restore.
    let left = std::thread::spawn(|| std::mem::forget(task::enter_worker("leaked", HostId::NONE))).join();
    assert!(left.is_ok());
    let seen = InlineExecutor::new().submit(|()| task::current().map(|context| context.attempt()), ());
    assert_eq!(seen.unwrap().result(None).unwrap(), Some(1));
    assert!(task::current().is_none());
}
