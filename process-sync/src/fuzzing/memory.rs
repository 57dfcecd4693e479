//! Objects whose memory is overwritten.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::{Bytes, leaves_no_descriptor};
use crate::{
    Array, Barrier, Condition, Event, JoinableQueue, Lock, Queue, RLock, RwLock, Semaphore, SharedChunk, SharedMut,
    Value,
    memory::SharedMemory,
    object::{Object, STATE},
    sys,
};

const NOW: Duration = Duration::ZERO;

/// A process that writes into the memory of an object.
struct Attacker {
    memory: SharedMemory,
    /// Where the lock word is.
    lock: usize,
    own_number: u32,
}

impl Attacker {
    fn of(object: &Object, lock: usize) -> Attacker {
        let length = sys::length_of(object.file()).expect("it has a length");
        let memory = SharedMemory::map(object.file(), 0, length).expect("mapped");
        Attacker { memory, lock, own_number: object.member.number() }
    }

    /// Writes one number, mostly at the beginning, where the state is.
    fn write(&self, bytes: &mut Bytes<'_>) {
        let words = self.memory.length() / 8;
        let offset = match bytes.byte() {
            place @ 0..200 => usize::from(place) % words,
            place => (usize::from(place) << 8 | usize::from(bytes.byte())) * 8 % words,
        };
        self.memory.word(8 * offset).store(bytes.number(), Relaxed);
        // A process that says that another one has the lock makes it wait for as long as that one lives.
        let lock = self.memory.half_word(self.lock);
        if lock.load(Relaxed) << 2 >> 2 == self.own_number {
            lock.store(1 << 28, Relaxed);
        }
    }
}

/// Runs steps: writes of the attacker, and uses of the object, of which there are so many.
fn run(bytes: &mut Bytes<'_>, attacker: &Attacker, uses: u8, mut use_it: impl FnMut(u8, &mut Bytes<'_>)) {
    while !bytes.is_over() {
        match bytes.byte() {
            step @ 0..128 => use_it(step % uses, bytes),
            _ => attacker.write(bytes),
        }
    }
}

/// Queues of bytes, of handles, and joinable ones.
pub fn queue(bytes: &[u8]) {
    leaves_no_descriptor(|| {
        let mut bytes = Bytes(bytes);
        match bytes.byte() % 3 {
            0 => bytes_queue(&mut bytes),
            1 => handle_queue(&mut bytes),
            _ => joinable_queue(&mut bytes),
        }
    });
}

const QUEUE_LOCK: usize = STATE + 64;

fn bytes_queue(bytes: &mut Bytes<'_>) {
    let builder = Queue::<Vec<u8>>::builder().max_bytes(1 << 18);
    let builder = if bytes.byte() & 1 == 0 { builder.bounded(3) } else { builder };
    let mut queue = builder.build().expect("a queue");
    let attacker = Attacker::of(queue.object(), QUEUE_LOCK);
    run(bytes, &attacker, 8, |step, bytes| match step {
        0 | 1 => drop(queue.try_put(bytes.take(40).to_vec())),
        2 => drop(queue.try_put(vec![7; usize::from(bytes.byte()) << 9])),
        3 | 4 => drop(queue.try_get()),
        5 => drop(queue.get(NOW)),
        6 => drop((queue.len(), queue.is_full(), queue.close())),
        _ => {
            if let Some(reopened) = queue.reopened() {
                queue = reopened;
            }
        }
    });
}

fn handle_queue(bytes: &mut Bytes<'_>) {
    let queue = Queue::<Vec<Lock>>::bounded(5).expect("a queue");
    let attacker = Attacker::of(queue.object(), QUEUE_LOCK);
    let locks = [Lock::new().expect("a lock"), Lock::new().expect("a lock")];
    run(bytes, &attacker, 4, |step, bytes| match step {
        0 => drop(queue.try_put(locks[..usize::from(bytes.byte() % 3)].to_vec())),
        1 | 2 => drop(queue.try_get()),
        _ => drop(queue.put_timeout(locks.to_vec(), NOW)),
    });
}

fn joinable_queue(bytes: &mut Bytes<'_>) {
    let queue = JoinableQueue::<u64>::bounded(3).expect("a queue");
    let attacker = Attacker::of(queue.object(), QUEUE_LOCK);
    run(bytes, &attacker, 4, |step, _| match step {
        0 => drop(queue.try_put(1)),
        1 => drop(queue.try_get()),
        2 => drop(queue.task_done()),
        _ => drop(queue.join(NOW)),
    });
}

/// Locks of all kinds, and what is made of them.
pub fn locks(bytes: &[u8]) {
    leaves_no_descriptor(|| {
        let mut bytes = Bytes(bytes);
        match bytes.byte() % 8 {
            0 => {
                let lock = Lock::new().expect("a lock");
                let attacker = Attacker::of(&lock.object, STATE);
                run(&mut bytes, &attacker, 4, |step, _| match step {
                    0 => drop(lock.try_lock()),
                    1 => drop(lock.lock_timeout(NOW)),
                    2 => drop(lock.recover()),
                    _ => drop(lock.is_locked()),
                });
            }
            1 => {
                let lock = RLock::new().expect("a lock");
                let attacker = Attacker::of(lock.object(), STATE);
                run(&mut bytes, &attacker, 3, |step, _| match step {
                    0 => {
                        let first = lock.try_lock();
                        drop((lock.lock_timeout(NOW), first));
                    }
                    1 => drop(lock.lock_timeout(NOW)),
                    _ => drop(lock.recover()),
                });
            }
            2 => {
                let lock = RwLock::new().expect("a lock");
                let attacker = Attacker::of(lock.object(), STATE);
                run(&mut bytes, &attacker, 4, |step, _| match step {
                    0 => drop((lock.try_read(), lock.read_timeout(NOW))),
                    1 => drop(lock.try_write()),
                    2 => drop(lock.write_timeout(NOW)),
                    _ => drop(lock.read_timeout(NOW)),
                });
            }
            3 => {
                let semaphore = Semaphore::new(2).expect("a semaphore");
                let attacker = Attacker::of(semaphore.object(), STATE);
                run(&mut bytes, &attacker, 4, |step, bytes| match step {
                    0 => drop((semaphore.try_acquire(), semaphore.acquire(NOW))),
                    1 => drop(semaphore.acquire(NOW).map(|permit| permit.forget())),
                    2 => drop(semaphore.release(bytes.number() as usize)),
                    _ => drop(semaphore.available()),
                });
            }
            4 => {
                let event = Event::new().expect("an event");
                let attacker = Attacker::of(event.object(), STATE);
                run(&mut bytes, &attacker, 3, |step, _| match step {
                    0 => event.set(),
                    1 => event.clear(),
                    _ => drop((event.wait(NOW), event.is_set())),
                });
            }
            5 => {
                let barrier = Barrier::new(2).expect("a barrier");
                let attacker = Attacker::of(barrier.object(), STATE);
                run(&mut bytes, &attacker, 4, |step, _| match step {
                    0 => drop(barrier.wait(NOW)),
                    1 => barrier.reset(),
                    2 => barrier.abort(),
                    _ => drop((barrier.parties(), barrier.waiting(), barrier.is_broken())),
                });
            }
            6 => {
                let lock = Lock::new().expect("a lock");
                let condition = Condition::new(&lock).expect("a condition");
                let attacker = Attacker::of(condition.object(), STATE);
                run(&mut bytes, &attacker, 3, |step, _| match step {
                    0 => drop(lock.lock().and_then(|guard| condition.wait(guard, NOW))),
                    1 => condition.notify_one(),
                    _ => condition.notify_all(),
                });
            }
            _ => {
                let value = Value::new([1_u64; 5]).expect("a value");
                let attacker = Attacker::of(value.object(), STATE + 64);
                run(&mut bytes, &attacker, 3, |step, _| match step {
                    0 => value.set([2; 5]),
                    1 => value.update(|value| value[0] = value[0].wrapping_add(1)),
                    _ => drop(value.get()),
                });
            }
        }
    });
}

/// Arrays, whose length comes from the memory where they are opened.
pub fn arrays(bytes: &[u8]) {
    leaves_no_descriptor(|| {
        let mut bytes = Bytes(bytes);
        let mut array = Array::from(&[1_u32, 2, 3, 4, 5]).expect("an array");
        let attacker = Attacker::of(array.object(), STATE);
        run(&mut bytes, &attacker, 6, |step, bytes| match step {
            0 => drop(array.get(bytes.byte().into())),
            1 => drop(array.set(bytes.byte().into(), 7)),
            2 => drop(array.lock_timeout(NOW).map(|mut array| array.sort())),
            3 => drop(array.recover().map(|array| array.iter().map(|number| u64::from(*number)).sum::<u64>())),
            4 => drop((array.len(), array.is_empty())),
            _ => {
                if let Some(reopened) = array.reopened() {
                    array = reopened;
                }
            }
        });
    });
}

/// Slices whose chunks have owners.
pub fn chunks(bytes: &[u8]) {
    leaves_no_descriptor(|| {
        let mut bytes = Bytes(bytes);
        let mut slice = SharedMut::<u16>::new(9).expect("a slice");
        let queue = Queue::<SharedChunk<u16>>::bounded(4).expect("a queue");
        let attacker = Attacker::of(slice.object(), STATE);
        let mut held = Vec::new();
        run(&mut bytes, &attacker, 7, |step, bytes| match step {
            0 => held.extend(slice.split(usize::from(bytes.byte())).unwrap_or_default()),
            1 => drop(slice.read().map(|elements| elements.iter().count())),
            2 => drop(held.pop().map(|chunk| queue.try_put(chunk))),
            3 => held.extend(queue.try_get().ok().flatten()),
            4 => held.iter_mut().for_each(|chunk| chunk.fill(bytes.byte().into())),
            5 => held.clear(),
            _ => {
                if let Some(reopened) = slice.reopened() {
                    slice = reopened;
                }
            }
        });
    });
}
