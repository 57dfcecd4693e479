//! Objects whose memory another process overwrites, between and during operations. Whatever it writes, an operation
//! ends, with a value or an error, and nothing outside of the object is touched.
//!
//! `HOSTILE_ROUNDS=100000 cargo test --release -p concurrent-futures-sync --lib hostile` does more of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::Duration,
};

use executor_core::ErrorKind;

use crate::{
    Array, Barrier, Condition, Event, JoinableQueue, Lock, Queue, RLock, RwLock, Semaphore, Value,
    memory::SharedMemory, object::Object, sys,
};

const BRIEF: Duration = Duration::from_micros(100);

/// Numbers in a sequence that a seed determines.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A word that no lock word takes for a living process: one may hold a lock for as long as it lives.
    fn word(&mut self) -> u64 {
        let random = self.next() | 1 << 28 | 1 << 60;
        match self.below(4) {
            0 => random,
            1 => random >> 40 << 40,
            2 => random & 0xffff_ffff,
            _ => u64::MAX ^ (1 << self.below(60)),
        }
    }
}

/// Overwrites a word of the object, or of its first ring.
fn spoil(memory: &SharedMemory, random: &mut Random) {
    // The first word says what the object is, and is only read when it is received.
    let offset = 8 * random.below(memory.length() / 8);
    memory.word(offset).store(random.word(), Relaxed);
}

fn whole(object: &Object) -> SharedMemory {
    SharedMemory::map(object.file(), 0, sys::length_of(object.file()).unwrap()).unwrap()
}

fn rounds() -> usize {
    std::env::var("HOSTILE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(300)
}

/// Makes objects, spoils each, and uses it. Half of the time the memory is also written meanwhile.
fn attack<T>(make: impl Fn() -> T, object: impl Fn(&T) -> &Object, uses: impl Fn(&T)) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds() {
        let target = make();
        uses(&target);
        let memory = Arc::new(whole(object(&target)));
        for _ in 0..1 + random.below(20) {
            spoil(&memory, &mut random);
        }
        let ends = Arc::new(AtomicBool::new(false));
        let attacker = (round % 2 == 1).then(|| {
            let (memory, ends, mut random) = (memory.clone(), ends.clone(), Random(random.next()));
            thread::spawn(move || {
                while !ends.load(Relaxed) {
                    spoil(&memory, &mut random);
                }
            })
        });
        let used = catch_unwind(AssertUnwindSafe(|| uses(&target)));
        ends.store(true, SeqCst);
        if let Some(attacker) = attacker {
            attacker.join().unwrap();
        }
        assert!(used.is_ok(), "in round {round}");
    }
}

#[test]
fn queues() {
    let uses = |queue: &Queue<Vec<u8>>| {
        let _ = queue.try_put(vec![1; 100]);
        let _ = queue.put_timeout(vec![2; 10], BRIEF);
        let _ = (queue.try_get(), queue.get(BRIEF), queue.len(), queue.is_full(), queue.is_empty());
    };
    attack(|| Queue::bounded(4).unwrap(), |queue| queue.object(), uses);
    attack(|| Queue::unbounded().unwrap(), |queue| queue.object(), uses);
    let uses = |queue: &JoinableQueue<u64>| {
        let _ = (queue.try_put(1), queue.try_get(), queue.task_done(), queue.join(BRIEF), queue.close());
    };
    attack(|| JoinableQueue::unbounded().unwrap(), |queue| queue.object(), uses);
    let lock = Lock::new().unwrap();
    let uses = |queue: &Queue<Lock>| drop((queue.try_put(&lock), queue.try_get(), queue.try_get()));
    attack(|| Queue::unbounded().unwrap(), |queue| queue.object(), uses);
}

#[test]
fn locks() {
    attack(
        || Lock::new().unwrap(),
        |lock| &lock.object,
        |lock| {
            drop((lock.try_lock(), lock.is_locked()));
            drop(lock.lock_timeout(BRIEF));
            drop(lock.recover());
        },
    );
    attack(
        || RLock::new().unwrap(),
        |lock| lock.object(),
        |lock| {
            let first = lock.lock_timeout(BRIEF);
            drop(lock.try_lock());
            drop((first, lock.is_locked()));
            drop(lock.recover());
        },
    );
    attack(
        || RwLock::new().unwrap(),
        |lock| lock.object(),
        |lock| {
            drop((lock.read_timeout(BRIEF), lock.try_read()));
            drop(lock.write_timeout(BRIEF));
            drop(lock.try_write());
        },
    );
}

#[test]
fn semaphores_events_barriers_and_conditions() {
    attack(
        || Semaphore::new(2).unwrap(),
        |semaphore| semaphore.object(),
        |semaphore| {
            drop((semaphore.acquire(BRIEF), semaphore.try_acquire()));
            let _ = (semaphore.release(1), semaphore.available());
        },
    );
    attack(
        || Event::new().unwrap(),
        |event| event.object(),
        |event| {
            let _ = (event.wait(BRIEF), event.set(), event.is_set(), event.clear());
        },
    );
    attack(
        || Barrier::new(2).unwrap(),
        |barrier| barrier.object(),
        |barrier| {
            let _ = (barrier.wait(BRIEF), barrier.waiting(), barrier.parties(), barrier.reset(), barrier.wait(BRIEF));
            barrier.abort();
        },
    );
    let lock = Lock::new().unwrap();
    attack(
        || Condition::new(&lock).unwrap(),
        |condition| condition.object(),
        |condition| {
            drop(condition.wait(lock.lock().unwrap(), BRIEF));
            condition.notify_one();
            condition.notify_all();
        },
    );
}

#[test]
fn values_and_arrays() {
    attack(
        || Value::new([1_u64; 5]).unwrap(),
        |value| value.object(),
        |value| {
            value.set([2; 5]);
            value.update(|value| value[0] = value[0].wrapping_add(1));
            let _ = value.get();
        },
    );
    attack(
        || Array::from(&[1_u16, 2, 3]).unwrap(),
        |array| array.object(),
        |array| {
            let _ = (array.set(2, 1), array.get(0), array.len(), array.recover().map(|mut array| array.sort()));
            drop(array.lock_timeout(BRIEF).map(|array| array.iter().count()));
        },
    );
}

#[test]
fn an_overwritten_queue_says_so() {
    let queue = Queue::<u64>::unbounded().unwrap();
    queue.put(1).unwrap();
    let memory = whole(queue.object());
    (0..memory.length() / 8).for_each(|word| memory.word(8 * word).store(u64::MAX - 2, Relaxed));
    let errors = [queue.put(2).unwrap_err(), queue.try_get().unwrap_err(), queue.close().unwrap_err()];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Broken);
        assert_eq!(
            error.to_string(),
            "the shared memory of a queue was overwritten: make a new one, and find what writes out of bounds"
        );
    }
}
