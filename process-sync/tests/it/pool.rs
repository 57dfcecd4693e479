//! Objects as arguments and results of tasks, on workers that already run.

use std::time::Duration;

use executor_core::{
    Error,
    ErrorKind::{self, Abandoned},
    Executor, TaskOptions,
};
use process_pool::{ProcessPoolExecutor, Transport};
use process_sync::{Barrier, Condition, Connection, Event, JoinableQueue, Lock, Queue, RwLock, Semaphore, Value, pipe};
use test_support::{open_descriptors, wait_until};

fn each_transport(test: fn(ProcessPoolExecutor)) {
    for transport in [Transport::Ring, Transport::Socket] {
        test_support::watched(move || {
            let pool = ProcessPoolExecutor::builder().max_workers(2).transport(transport).build().unwrap();
            // The workers run before any object is made.
            pool.map(|n: u64| n, 0..8_u64).unwrap().for_each(|item| assert!(item.is_ok()));
            test(pool);
        });
    }
}

#[test]
fn objects_go_to_workers_that_already_run_and_come_back() {
    each_transport(|pool| {
        let queue = Queue::<u64>::unbounded().unwrap();
        let sum = |queue: Queue<u64>| queue.iter().sum::<u64>();
        let consumers: Vec<_> = (0..2).map(|_| pool.submit(sum, queue.clone()).unwrap()).collect();
        (1..=100).for_each(|item| queue.put(item).unwrap());
        queue.close().unwrap();
        assert_eq!(consumers.iter().map(|sum| sum.result(None).unwrap()).sum::<u64>(), 5050);

        let made = pool.submit(|()| (Lock::new().unwrap(), Value::new(5_u64).unwrap()), ()).unwrap();
        let (lock, value) = made.result(None).unwrap();
        drop(lock.lock().unwrap());
        let add = |(lock, value): (Lock, Value<u64>)| {
            let _guard = lock.lock().unwrap();
            value.set(value.get() + 1);
        };
        let inputs: Vec<_> = (0..200).map(|_| (lock.clone(), value.clone())).collect();
        pool.map(add, inputs).unwrap().for_each(|item| item.unwrap());
        assert_eq!(value.get(), 205);
        let returned = pool.submit(|queue: Queue<u64>| queue, queue.clone()).unwrap().result(None).unwrap();
        assert_eq!(returned.try_get().unwrap_err().kind(), ErrorKind::Closed);
    });
}

#[test]
fn a_worker_maps_an_object_that_it_knows_once_and_forgets_it_with_the_parent() {
    /// Returns where the process has the memory of queues.
    fn mappings() -> Vec<String> {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("it is there");
        maps.lines().filter(|line| line.contains("concurrent-futures-queue")).map(str::to_string).collect()
    }
    let pool = ProcessPoolExecutor::new(1).unwrap();
    let look = |()| mappings();
    let put = |queue: Queue<u64>| queue.put(1).map(|()| mappings());
    let queue = Queue::unbounded().unwrap();
    let first = pool.submit(put, queue.clone()).unwrap().result(None).unwrap().unwrap();
    assert!(!first.is_empty());
    for _ in 0..3 {
        assert_eq!(pool.submit(look, ()).unwrap().result(None).unwrap(), first);
        assert_eq!(pool.submit(put, queue.clone()).unwrap().result(None).unwrap().unwrap(), first);
    }
    assert_eq!(queue.len(), 4);
    drop(queue);
    wait_until("the end of the queue in the worker", || {
        pool.submit(look, ()).unwrap().result(None).unwrap().is_empty()
    });
}

#[test]
fn every_kind_of_object_is_an_argument() {
    each_transport(|pool| {
        let (lock, rw, semaphore) = (Lock::new().unwrap(), RwLock::new().unwrap(), Semaphore::new(1).unwrap());
        let (condition, event, barrier) =
            (Condition::new(&lock).unwrap(), Event::new().unwrap(), Barrier::new(2).unwrap());
        let (mine, other) = pipe::<u64, u64>().unwrap();
        type All = (Lock, RwLock, Semaphore, Condition, Event, Barrier, Connection<u64>);
        let task = |(lock, rw, semaphore, condition, event, barrier, connection): All| {
            event.wait(None);
            let guard = lock.lock()?;
            let (guard, _) = condition.wait(guard, Duration::from_millis(1))?;
            drop((guard, rw.write()?, semaphore.acquire(None)?));
            connection.send(connection.recv(None)? + 1)?;
            barrier.wait(None).map(|index| index as u64)
        };
        let objects = (lock, rw, semaphore, condition, event.clone(), barrier.clone(), other);
        let future = pool.submit(task, objects).unwrap();
        event.set();
        mine.send(1).unwrap();
        assert_eq!(mine.recv(None).unwrap(), 2);
        let index = barrier.wait(None).unwrap() as u64;
        let outcome: Result<u64, Error> = future.result(None).unwrap();
        assert_eq!(outcome.unwrap() + index, 1);
    });
}

#[test]
fn a_worker_that_dies_abandons_what_it_held_and_its_successor_has_the_objects() {
    each_transport(|pool| {
        let (lock, tries) = (Lock::new().unwrap(), Value::new(0_u64).unwrap());
        let task = |(lock, tries): (Lock, Value<u64>)| {
            let outcome = lock.lock().map(std::mem::forget).map_err(|error| error.kind());
            if tries.update(|tries| std::mem::replace(tries, *tries + 1)) == 0 {
                std::process::abort();
            }
            outcome
        };
        let options = TaskOptions::new().retries(1);
        let future = pool.submit_with(options, task, (lock.clone(), tries.clone())).unwrap();
        assert_eq!(future.result(None).unwrap(), Err(Abandoned));
        assert_eq!(tries.get(), 2);
        drop(lock.recover());
        drop(lock.lock().unwrap());

        let queue = JoinableQueue::<u64>::unbounded().unwrap();
        queue.put(1).unwrap();
        let take = |queue: JoinableQueue<u64>| {
            queue.get(None).unwrap();
            std::process::abort()
        };
        let died = pool.submit::<_, _, ()>(take, queue.clone()).unwrap();
        assert_eq!(died.result(None).unwrap_err().kind(), ErrorKind::WorkerDied);
        assert_eq!(queue.join(None).unwrap_err().kind(), Abandoned);
    });
}

#[test]
fn a_pool_keeps_no_descriptor_of_objects_that_are_gone() {
    each_transport(|pool| {
        let use_one = |pool: &ProcessPoolExecutor| {
            let queue = Queue::<u64>::unbounded().unwrap();
            let put = |queue: Queue<u64>| (queue.put(1).unwrap(), open_descriptors());
            let ((), descriptors) = pool.submit(put, queue.clone()).unwrap().result(None).unwrap();
            assert_eq!(queue.get(None).unwrap(), 1);
            descriptors
        };
        let most = (0..300).map(|_| use_one(&pool)).max().unwrap();
        assert!(most < 100, "a worker has {most} descriptors");
        // Other tests of this process open descriptors too.
        wait_until("the descriptors to be closed", || open_descriptors() < 600);
    });
}
