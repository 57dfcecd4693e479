//! Objects as arguments of tasks in a sandbox: they can be used, and neither made nor sent on.

use std::time::Duration;

use executor_core::{ErrorKind::Unsupported, Executor, Future};
use process_pool::{ProcessPoolExecutor, Refusal, Sandbox, Transport};
use process_sync::{Barrier, Condition, Connection, Event, Lock, Queue, RwLock, Semaphore, Shared, Value, pipe};

/// Runs a test with each kind of refusal, over each transport.
fn in_each_sandbox(test: fn(&ProcessPoolExecutor)) {
    for transport in [Transport::Ring, Transport::Socket] {
        for refusal in [Refusal::Error, Refusal::Kill] {
            let sandbox = Sandbox::compute().on_refusal(refusal);
            let builder = ProcessPoolExecutor::builder().max_workers(2).transport(transport).sandbox(sandbox);
            let pool = match builder.build() {
                Err(error) if error.kind() == Unsupported => return println!("SKIPPED: {error}"),
                built => built.unwrap(),
            };
            test_support::watched(move || test(&pool));
        }
    }
}

fn get<T: Send + 'static>(future: Future<T>) -> T {
    future.result(None).unwrap()
}

#[test]
fn a_task_uses_the_objects_that_it_is_given() {
    in_each_sandbox(|pool| {
        let queue = Queue::<String>::unbounded().unwrap();
        let (lock, value, rw) = (Lock::new().unwrap(), Value::new(1_u64).unwrap(), RwLock::new().unwrap());
        let add = |(lock, rw, value): (Lock, RwLock, Value<u64>)| {
            let _guard = lock.lock().unwrap();
            let _read = rw.read().unwrap();
            value.set(value.get() + 1);
        };
        let added: Vec<_> =
            (0..20).map(|_| pool.submit(add, (lock.clone(), rw.clone(), value.clone())).unwrap()).collect();
        added.into_iter().for_each(get);
        assert_eq!(value.get(), 21);

        // More than the ring of a new queue holds.
        let fill = |queue: Queue<String>| (0..100).try_for_each(|item| queue.put(format!("{item:04096}")));
        get(pool.submit(fill, queue.clone()).unwrap()).unwrap();
        assert_eq!(queue.len(), 100);
        let drain = |queue: Queue<String>| (0..100).filter(|_| queue.get(None).is_ok()).count();
        assert_eq!(get(pool.submit(drain, queue.clone()).unwrap()), 100);

        let (semaphore, event, barrier) = (Semaphore::new(1).unwrap(), Event::new().unwrap(), Barrier::new(2).unwrap());
        let condition = Condition::new(&lock).unwrap();
        let use_all = |(semaphore, event, barrier, condition): (Semaphore, Event, Barrier, Condition)| {
            let _permit = semaphore.acquire(None).unwrap();
            event.set();
            condition.notify_all();
            barrier.wait(None).is_ok()
        };
        let used = pool.submit(use_all, (semaphore, event.clone(), barrier.clone(), condition)).unwrap();
        assert!(event.wait(None) && barrier.wait(None).is_ok() && get(used));

        let shared = Shared::new(vec![7_u64; 10_000]).unwrap();
        let sum = |shared: Shared<Vec<u64>>| shared.iter().sum::<u64>();
        assert_eq!(get(pool.submit(sum, shared).unwrap()), 70_000);
    });
}

#[test]
fn a_connection_carries_short_messages() {
    in_each_sandbox(|pool| {
        let (mine, other) = pipe::<u64, u64>().unwrap();
        let echo = |other: Connection<u64, u64>| other.recv(None).and_then(|number| other.send(number + 1));
        let echoed = pool.submit(echo, other).unwrap();
        mine.send(41).unwrap();
        assert_eq!(mine.recv(None).unwrap(), 42);
        get(echoed).unwrap();
    });
}

#[test]
fn nothing_is_made_or_sent_on() {
    in_each_sandbox(|pool| {
        let made = |()| {
            let kind = |error: executor_core::Error| error.kind();
            [
                Lock::new().err().map(kind),
                Queue::<u64>::unbounded().err().map(kind),
                Value::new(1_u64).err().map(kind),
                Shared::new(1_u64).err().map(kind),
                pipe::<u64, u64>().err().map(kind),
            ]
        };
        assert_eq!(get(pool.submit(made, ()).unwrap()), [Some(Unsupported); 5]);
        let queue = Queue::<u64>::unbounded().unwrap();
        let back = pool.submit(|queue: Queue<u64>| queue, queue.clone()).unwrap();
        assert_eq!(back.result(Duration::from_secs(60)).unwrap_err().kind(), Unsupported);
        let outer = Queue::<Queue<u64>>::unbounded().unwrap();
        let put = |(outer, queue): (Queue<Queue<u64>>, Queue<u64>)| outer.put(queue).map_err(|error| error.kind());
        assert_eq!(get(pool.submit(put, (outer.clone(), queue.clone())).unwrap()), Err(Unsupported));
        // What the program puts there can be taken.
        outer.put(queue).unwrap();
        let take =
            |outer: Queue<Queue<u64>>| outer.get(None).and_then(|queue| queue.put(7)).map_err(|error| error.kind());
        assert_eq!(get(pool.submit(take, outer).unwrap()), Ok(()));
    });
}
