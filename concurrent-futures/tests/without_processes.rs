//! The facade as a program uses it that has no worker processes: on systems without them, and on all others.
#![cfg(all(feature = "threads", feature = "sync"))]

use std::thread;

use concurrent_futures::{
    Backend, ErrorKind, Executor, InlineExecutor, ReturnWhen, Shutdown, ThreadPoolExecutor, as_completed,
    multiprocessing::{Barrier, Condition, Event, Lock, Queue, Semaphore, Value},
    wait,
};
use test_support::{DEADLINE, block_on, watched};

/// Calls `test` with each executor that runs tasks in this process.
fn on_each(test: impl Fn(&dyn Backend) + Send + 'static) {
    watched(move || {
        test(&InlineExecutor::new());
        test(&ThreadPoolExecutor::new(2).expect("the system has threads"));
        #[cfg(feature = "rayon")]
        test(&concurrent_futures::RayonExecutor::global());
    });
}

#[test]
fn results_arrive_by_each_way() {
    on_each(|executor| {
        let square = |n: u64| executor.submit(|n: u64| n * n, n).expect("accepted");
        assert_eq!(square(7).result(DEADLINE).expect("a value"), 49);
        assert_eq!(block_on(square(8)).expect("a value"), 64);
        let futures = [square(1), square(2), square(3)];
        assert!(wait(&futures, DEADLINE, ReturnWhen::AllCompleted).not_done.is_empty());
        let sum: u64 =
            as_completed(futures, None).map(|future| future.expect("done").result(None).expect("a value")).sum();
        assert_eq!(sum, 14);
        let lengths = executor.map(|word: String| word.len(), ["one".to_string(), "three".to_string()]);
        assert_eq!(lengths.expect("accepted").collect::<Result<Vec<_>, _>>().expect("values"), [3, 5]);
    });
}

#[test]
fn a_panic_is_an_error_and_a_closed_executor_refuses_tasks() {
    on_each(|executor| {
        let panics = executor.submit(|()| -> u64 { panic!("no more paper") }, ()).expect("accepted");
        let error = panics.result(DEADLINE).expect_err("it panics");
        assert_eq!(error.kind(), ErrorKind::Panicked);
        let panic = error.panic().expect("the panic");
        assert!(panic.location().is_some_and(|place| place.contains("without_processes.rs")), "{error}");
        executor.shutdown(Shutdown::Drain);
        let refused = executor.submit(|n: u64| n, 1).expect_err("it is shut down");
        assert_eq!(refused.kind(), ErrorKind::ShutDown);
    });
}

#[test]
fn threads_run_closures_that_capture_and_that_borrow() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).expect("the system has threads");
        let words = ["a", "b", "c"].map(String::from);
        let lengths = pool.scope(|scope| scope.map(&words, |word| word.len()));
        assert_eq!(lengths, [1, 1, 1]);
        let future = pool.spawn(move || words.concat()).expect("accepted");
        assert_eq!(future.result(DEADLINE).expect("a value"), "abc");
    });
}

/// Objects that are shared work between threads on every system.
#[test]
fn threads_share_objects() {
    watched(|| {
        const THREADS: u64 = 3;
        const ROUNDS: u64 = 200;
        let pool = ThreadPoolExecutor::new(THREADS as usize).expect("the system has threads");
        let queue = Queue::<(u64, String)>::bounded(4).expect("a queue");
        let (total, seen) = (Value::new(0_u64).expect("a value"), Event::new().expect("an event"));
        let (permits, meeting) =
            (Semaphore::new(2).expect("permits"), Barrier::new(THREADS as usize).expect("a barrier"));
        let lock = Lock::new().expect("a lock");
        let changed = Condition::new(&lock).expect("a condition");
        let takers: Vec<_> = (0..THREADS)
            .map(|_| {
                let (queue, total, permits, meeting) = (queue.clone(), total.clone(), permits.clone(), meeting.clone());
                let (lock, changed) = (lock.clone(), changed.clone());
                let take = move || {
                    meeting.wait(DEADLINE).expect("all threads come");
                    for (number, text) in queue.iter() {
                        assert_eq!(text, number.to_string());
                        let _permit = permits.acquire(None).expect("a permit");
                        let _guard = lock.lock().expect("no one died");
                        total.update(|total| *total += number);
                        changed.notify_all();
                    }
                };
                pool.spawn(take).expect("accepted")
            })
            .collect();
        let waiter = {
            let (lock, changed, total, seen) = (lock.clone(), changed.clone(), total.clone(), seen.clone());
            thread::spawn(move || {
                let guard = lock.lock().expect("no one died");
                let (_guard, came) = changed
                    .wait_for(guard, DEADLINE, || total.get() == (1..=ROUNDS).sum::<u64>())
                    .expect("no one died");
                assert!(came);
                seen.set();
            })
        };
        for number in 1..=ROUNDS {
            queue.put((number, number.to_string())).expect("it is open");
        }
        queue.close().expect("it is open");
        assert!(seen.wait(DEADLINE));
        waiter.join().expect("it does not panic");
        for taker in takers {
            taker.result(DEADLINE).expect("it does not panic");
        }
        assert!(!lock.is_locked());
    });
}
