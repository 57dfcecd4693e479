//! Objects as arguments and results of a [`Process`].

use std::time::Duration;

use executor_core::ErrorKind;
use process_pool::Process;
use process_sync::{Barrier, Event, JoinableQueue, Lock, Queue, Semaphore, Value, wait};
use test_support::DEADLINE;

fn double(from: Queue<u64>, to: &Queue<u64>) {
    from.iter().for_each(|item| to.put(item * 2).unwrap());
}

#[test]
fn a_queue_connects_processes() {
    let (from, to) = (Queue::bounded(3).unwrap(), Queue::unbounded().unwrap());
    let doubles = |(from, to): (Queue<u64>, Queue<u64>)| double(from, &to);
    let all: Vec<_> = (0..3).map(|_| Process::spawn(doubles, (from.clone(), to.clone())).unwrap()).collect();
    (1..=100).for_each(|item| from.put(item).unwrap());
    from.close().unwrap();
    all.iter().for_each(|process| process.result(DEADLINE).unwrap());
    to.close().unwrap();
    assert_eq!(to.iter().sum::<u64>(), 10_100);
}

#[test]
fn an_object_that_a_process_has_made_outlives_it() {
    let made = Process::spawn(|()| (Lock::new().unwrap(), Value::new(5_u64).unwrap()), ()).unwrap();
    let (lock, value) = made.result(DEADLINE).unwrap();
    assert!(made.join(DEADLINE));
    let add = |(lock, value): (Lock, Value<u64>)| {
        for _ in 0..100 {
            let _guard = lock.lock().unwrap();
            value.set(value.get() + 1);
        }
    };
    let all: Vec<_> = (0..3).map(|_| Process::spawn(add, (lock.clone(), value.clone())).unwrap()).collect();
    all.iter().for_each(|process| assert!(process.join(DEADLINE)));
    assert_eq!(value.get(), 305);
}

#[test]
fn the_death_of_a_process_is_told_to_those_who_share_objects_with_it() {
    let (lock, held, permits) = (Lock::new().unwrap(), Event::new().unwrap(), Semaphore::new(2).unwrap());
    let holds = |(lock, held, permits): (Lock, Event, Semaphore)| {
        let _guard = lock.lock().unwrap();
        let _permit = permits.acquire(None).unwrap();
        held.set();
        loop {
            std::thread::park();
        }
    };
    let process: Process<()> =
        Process::builder().daemon(true).spawn(holds, (lock.clone(), held.clone(), permits.clone())).unwrap();
    assert!(held.wait(DEADLINE));
    assert_eq!(permits.available(), 1);
    process.kill();
    assert!(process.join(DEADLINE));
    assert_eq!(lock.lock().unwrap_err().kind(), ErrorKind::Abandoned);
    drop(lock.recover());
    let both = [permits.acquire(DEADLINE).unwrap(), permits.acquire(DEADLINE).unwrap()];
    assert_eq!((both.len(), permits.available()), (2, 0));
}

#[test]
fn daemons_consume_a_joinable_queue() {
    let queue = JoinableQueue::<u64>::bounded(10).unwrap();
    let sum = Value::new(0_u64).unwrap();
    let consumes = |(queue, sum): (JoinableQueue<u64>, Value<u64>)| {
        while let Ok(item) = queue.get(None) {
            sum.update(|sum| *sum += item);
            queue.task_done().unwrap();
        }
    };
    let daemons = (0..2).map(|_| Process::builder().daemon(true).spawn(consumes, (queue.clone(), sum.clone())));
    let daemons: Vec<Process<()>> = daemons.map(Result::unwrap).collect();
    (1..=100).for_each(|item| queue.put(item).unwrap());
    queue.join(DEADLINE).unwrap();
    assert_eq!(sum.get(), 5050);
    drop(daemons);
}

#[test]
fn processes_meet_at_a_barrier() {
    let barrier = Barrier::new(4).unwrap();
    let meets = |barrier: Barrier| barrier.wait(DEADLINE).unwrap();
    let all: Vec<_> = (0..4).map(|_| Process::spawn(meets, barrier.clone()).unwrap()).collect();
    let mut places: Vec<usize> = all.iter().map(|process| process.result(DEADLINE).unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, [0, 1, 2, 3]);
}

/// Sentinels and connections are waited for together.
#[test]
fn wait_returns_the_process_that_has_ended() {
    let released = Event::new().unwrap();
    let waits = |released: Event| {
        released.wait(None);
    };
    let stays = Process::spawn(waits, released.clone()).unwrap();
    let ends = Process::spawn(|()| (), ()).unwrap();
    let (one, other) = (stays.sentinel(), ends.sentinel());
    assert_eq!(wait(&[&one, &other], DEADLINE), [1]);
    assert_eq!(ends.exit_code(), Some(0));
    assert!(wait(&[&one], Duration::ZERO).is_empty());
    released.set();
    assert_eq!(wait(&[&one], DEADLINE), [0]);
}
