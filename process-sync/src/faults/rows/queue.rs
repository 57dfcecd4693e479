//! Queues: bounded and growing ones, of numbers and of handles, and joinable ones.

use std::fmt;

use executor_core::{ErrorKind, Payload};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    JoinableQueue, Lock, Queue,
    faults::{
        table::{
            ABANDONED, AFTER, At, BEFORE, Cell, IS_ASLEEP, IS_AWAKE, Left, NO_CODE, NO_SLEEP, Row,
            Who::{Consumer, Holder, Producer, Waiter, WokenWaiter},
        },
        trial::Trial,
        victim::{Victim, user_code},
    },
    place::Place,
};

const PUT: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, AFTER, AFTER, BEFORE, NO_CODE];
const GET: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, AFTER, AFTER, BEFORE, AFTER];
const WOKEN: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, AFTER, AFTER, IS_AWAKE, AFTER];
const ASLEEP: [Cell; At::ALL.len()] = [IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, BEFORE, IS_ASLEEP];
const NEVER_FULL: Cell = Cell::Never("it is full only at its limit of memory, as a bounded queue is");
const NEVER_EMPTY: Cell = Cell::Never("an empty queue is the same with and without handles");

pub(super) const ROWS: &[Row] = &[
    Row::new("queue", Producer, "puts an item", (put, check_put), PUT).inside(Place::BeforeBytes),
    Row::new("queue", Consumer, "gets an item", (get, check_get), GET).panics(Left::After),
    Row::new("queue", Waiter, "waits for an item", (get, check_get), ASLEEP),
    Row::new("queue", WokenWaiter, "gets an item that it waited for", (get, check_get), WOKEN).panics(Left::After),
    Row::new("queue", Producer, "puts an item", (put, check_put), PUT).inside(Place::BeforeBytes).by_the_parent(),
    Row::new("queue", Consumer, "gets an item", (get, check_get), GET).panics(Left::After).by_the_parent(),
    Row::new(
        "growing queue",
        Producer,
        "puts an item for which the ring is too small",
        (put_large, check_put_large),
        [BEFORE, BEFORE, BEFORE, AFTER, AFTER, NEVER_FULL, NO_CODE],
    )
    .inside(Place::BeforeBytes),
    Row::new(
        "queue of handles",
        Producer,
        "puts a lock",
        (put_handle, check_put_handle),
        [BEFORE, BEFORE, BEFORE, AFTER, AFTER, NEVER_FULL, NO_CODE],
    )
    .inside(Place::BeforeBytes),
    Row::new(
        "queue of handles",
        Consumer,
        "gets a lock",
        (get_handle, check_get_handle),
        [BEFORE, BEFORE, BEFORE, AFTER, AFTER, NEVER_EMPTY, NO_CODE],
    )
    .without_descriptors(Left::Before),
    Row::new("joinable queue", Producer, "puts an item", (join_put, check_join_put), PUT).inside(Place::BeforeBytes),
    Row::new(
        "joinable queue",
        Consumer,
        "gets an item, and finishes it",
        (join_get, check_join_get),
        [BEFORE, BEFORE, BEFORE, ABANDONED, ABANDONED, BEFORE, ABANDONED],
    )
    .panics(Left::Abandoned),
    Row::new(
        "joinable queue",
        Holder,
        "finishes an item that it has",
        (finish, check_finish),
        [ABANDONED, ABANDONED, ABANDONED, AFTER, AFTER, NO_SLEEP, NO_CODE],
    ),
    Row::new("joinable queue", Waiter, "waits for the end of all work", (join, check_join), ASLEEP),
    Row::new(
        "joinable queue",
        WokenWaiter,
        "learns of the end of all work",
        (join, check_join),
        [
            BEFORE,
            BEFORE,
            Cell::Never("it changes nothing"),
            Cell::Never("it changes nothing"),
            BEFORE,
            IS_AWAKE,
            NO_CODE,
        ],
    ),
];

/// A number whose decoding is the user's code.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Item(pub(super) u64);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
        let number = u64::deserialize(deserializer)?;
        user_code();
        Ok(Item(number))
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn drain<T: Payload>(queue: &Queue<T>) -> Vec<T> {
    std::iter::from_fn(|| queue.try_get().unwrap()).collect()
}

fn bounded() -> Queue<Item> {
    Queue::bounded(3).unwrap()
}

fn put(victim: &mut Victim) {
    let queue = victim.object(bounded);
    victim.act(|| queue.put(Item(100)));
}

fn check_put(trial: &mut Trial) {
    let queue = trial.object(bounded);
    let before = if trial.sleeps() { vec![1, 2, 3] } else { vec![1] };
    before.iter().for_each(|item| queue.put(Item(*item)).unwrap());
    let mut found = Vec::new();
    let left = trial.run(|_| found.push(queue.get(None).unwrap()));
    found.extend(drain(&queue));
    queue.put(Item(9)).unwrap();
    found.extend(drain(&queue));
    let put = if left == Left::After { vec![100] } else { vec![] };
    let found: Vec<u64> = found.iter().map(|item| item.0).collect();
    assert_eq!(found, [before, put, vec![9]].concat());
}

fn get(victim: &mut Victim) {
    let queue = victim.object(bounded);
    victim.act(|| queue.get(None).map(drop));
}

fn check_get(trial: &mut Trial) {
    let queue = trial.object(bounded);
    let put = |_: &Trial| queue.put(Item(1)).unwrap();
    if !trial.sleeps() {
        put(trial);
    }
    let left = trial.run(put);
    queue.put(Item(2)).unwrap();
    let mut found = vec![queue.get(None).unwrap()];
    found.extend(drain(&queue));
    queue.put(Item(3)).unwrap();
    found.extend(queue.get(None));
    let found: Vec<u64> = found.iter().map(|item| item.0).collect();
    assert_eq!(found, if left == Left::After { vec![2, 3] } else { vec![1, 2, 3] });
}

fn put_large(victim: &mut Victim) {
    let queue = victim.object(|| Queue::<Vec<u8>>::unbounded().unwrap());
    victim.act(|| queue.put(vec![7; 200_000]));
}

fn check_put_large(trial: &mut Trial) {
    let queue = trial.object(|| Queue::<Vec<u8>>::unbounded().unwrap());
    (0..5_u8).for_each(|item| queue.put(vec![item; 10_000]).unwrap());
    let left = trial.run(|_| {});
    queue.put(vec![9; 400_000]).unwrap();
    let put = (left == Left::After).then_some((7, 200_000));
    let expected = (0..5).map(|item| (item, 10_000)).chain(put).chain([(9, 400_000)]);
    for (item, length) in expected {
        assert!(queue.try_get().unwrap() == Some(vec![item; length]));
    }
    assert!(queue.is_empty());
}

fn put_handle(victim: &mut Victim) {
    let queue = victim.object(|| Queue::<Lock>::unbounded().unwrap());
    let lock = Lock::new().unwrap();
    victim.act(|| queue.put(lock));
}

fn check_put_handle(trial: &mut Trial) {
    let queue = trial.object(|| Queue::<Lock>::unbounded().unwrap());
    let left = trial.run(|_| {});
    let mine = Lock::new().unwrap();
    queue.put(&mine).unwrap();
    if left == Left::After {
        let theirs = queue.get(None).unwrap();
        drop(theirs.lock().unwrap());
    }
    let guard = mine.lock().unwrap();
    assert!(queue.get(None).unwrap().is_locked(), "it is the same lock");
    drop(guard);
    assert!(queue.is_empty());
}

fn get_handle(victim: &mut Victim) {
    let queue = victim.object(|| Queue::<Lock>::unbounded().unwrap());
    victim.act(|| queue.get(None).map(drop));
}

fn check_get_handle(trial: &mut Trial) {
    let queue = trial.object(|| Queue::<Lock>::unbounded().unwrap());
    let locks = [Lock::new().unwrap(), Lock::new().unwrap()];
    locks.iter().for_each(|lock| queue.put(lock).unwrap());
    let left = trial.run(|_| {});
    for lock in if left == Left::After { &locks[1..] } else { &locks[..] } {
        let guard = lock.lock().unwrap();
        assert!(queue.get(None).unwrap().is_locked(), "it is the same lock");
        drop(guard);
    }
    assert!(queue.is_empty());
}

fn joinable() -> JoinableQueue<Item> {
    JoinableQueue::bounded(3).unwrap()
}

/// Finishes what is in the queue, and checks what `join` says.
fn finish_all(queue: &JoinableQueue<Item>, is_lost: bool) -> Vec<u64> {
    let mut found = Vec::new();
    while let Some(item) = queue.try_get().unwrap() {
        found.push(item.0);
        queue.task_done().unwrap();
    }
    let outcome = queue.join(None).map_err(|error| error.kind());
    assert_eq!(outcome, if is_lost { Err(ErrorKind::Abandoned) } else { Ok(()) });
    assert!(queue.join(None).is_ok(), "it says once that items are lost");
    assert_eq!(queue.task_done().unwrap_err().kind(), ErrorKind::InvalidState);
    found
}

fn join_put(victim: &mut Victim) {
    let queue = victim.object(joinable);
    victim.act(|| queue.put(Item(100)));
}

fn check_join_put(trial: &mut Trial) {
    let queue = trial.object(joinable);
    let before = if trial.sleeps() { vec![1, 2, 3] } else { vec![1] };
    before.iter().for_each(|item| queue.put(Item(*item)).unwrap());
    let mut taken = false;
    let left = trial.run(|_| {
        queue.get(None).unwrap();
        taken = true;
    });
    if taken {
        queue.task_done().unwrap();
    }
    let put = if left == Left::After { vec![100] } else { vec![] };
    assert_eq!(finish_all(&queue, false), [&before[usize::from(taken)..], &put].concat());
}

fn join_get(victim: &mut Victim) {
    let queue = victim.object(joinable);
    victim.act(|| {
        queue.get(None)?;
        queue.task_done()
    });
}

fn check_join_get(trial: &mut Trial) {
    let queue = trial.object(joinable);
    let put = |_: &Trial| queue.put(Item(1)).unwrap();
    if !trial.sleeps() {
        put(trial);
    }
    let left = trial.run(put);
    queue.put(Item(2)).unwrap();
    if left == Left::Abandoned {
        // A process that lives still has the item, and `join` waits for it.
        trial.end();
    }
    let found = finish_all(&queue, left == Left::Abandoned);
    assert_eq!(found, if left == Left::Before { vec![1, 2] } else { vec![2] });
}

fn finish(victim: &mut Victim) {
    let queue = victim.object(joinable);
    // The item is there before the queue arrives.
    queue.get(None).unwrap();
    victim.act(|| queue.task_done());
}

fn check_finish(trial: &mut Trial) {
    let queue = trial.object(|| {
        let queue = joinable();
        queue.put(Item(1)).unwrap();
        queue
    });
    let left = trial.run(|_| {});
    trial.end();
    assert_eq!(finish_all(&queue, left == Left::Abandoned), []);
}

fn join(victim: &mut Victim) {
    let queue = victim.object(joinable);
    victim.act(|| queue.join(None));
}

fn check_join(trial: &mut Trial) {
    let queue = trial.object(joinable);
    queue.put(Item(1)).unwrap();
    queue.get(None).unwrap();
    trial.run(|_| queue.task_done().unwrap());
    assert_eq!(finish_all(&queue, false), []);
    queue.put(Item(2)).unwrap();
    assert_eq!(finish_all(&queue, false), [2]);
}
