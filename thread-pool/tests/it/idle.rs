//! Sleeping and waking.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use executor_core::{Backend, Executor, TaskOptions};
use thread_pool::ThreadPoolExecutor;

use crate::support::{HANGS, watched};

#[test]
fn no_wake_up_is_lost_between_bursts() {
    watched(|| {
        for workers in [1, 2, 3, 8] {
            let pool = ThreadPoolExecutor::new(workers).unwrap();
            for burst in 0..3_000u64 {
                // Pauses of all lengths, so that some tasks come while workers search, some while they lie down, and
                // some while they sleep.
                for _ in 0..(burst * 37) % 5_000 {
                    std::hint::spin_loop();
                }
                let futures: Vec<_> = (0..burst % 4 + 1).map(|n| pool.submit(|n: u64| n, n).unwrap()).collect();
                for future in futures {
                    future.result(HANGS).expect("a task waits while workers sleep");
                }
            }
        }
    });
}

#[test]
fn no_wake_up_is_lost_with_many_submitters() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(3).unwrap());
        let submitters: Vec<_> = (0..4u64)
            .map(|seed| {
                let pool = pool.clone();
                thread::spawn(move || {
                    let mut random = seed * 2 + 1;
                    for _ in 0..2_000 {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        let priority = (random % 16) as i32 - 8;
                        let options = TaskOptions::new().priority(if priority.abs() < 6 { 0 } else { priority });
                        let future = pool.submit_with(options, |n: u64| n, random).unwrap();
                        if random & 3 != 0 {
                            assert_eq!(future.result(HANGS).expect("a task waits while workers sleep"), random);
                        }
                    }
                })
            })
            .collect();
        submitters.into_iter().for_each(|submitter| submitter.join().unwrap());
    });
}

#[test]
fn every_worker_is_woken_if_there_is_work_for_all() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(4).unwrap();
        for round in 0..500 {
            let barrier = Arc::new(Barrier::new(4));
            if round % 2 == 0 {
                // From outside.
                let futures: Vec<_> = (0..4)
                    .map(|_| {
                        let barrier = barrier.clone();
                        pool.spawn(move || barrier.wait().is_leader()).unwrap()
                    })
                    .collect();
                let leaders = futures.into_iter().filter(|future| future.result(HANGS).unwrap()).count();
                assert_eq!(leaders, 1);
            } else {
                // From one worker, whose own queue the others have to steal from.
                let handle = pool.handle().unwrap();
                let outer = pool.spawn(move || {
                    for _ in 0..3 {
                        let barrier = barrier.clone();
                        let (task, _) = executor_core::Task::from_closure(TaskOptions::new(), move || {
                            barrier.wait();
                        });
                        handle.schedule(task).unwrap();
                    }
                    barrier.wait();
                });
                outer.unwrap().result(HANGS).unwrap();
            }
        }
    });
}

#[test]
fn cf_046_no_more_tasks_run_at_once_than_there_are_workers() {
    let pool = ThreadPoolExecutor::new(4).unwrap();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..60 {
        let (now, most) = (now.clone(), most.clone());
        let count = move || {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            thread::yield_now();
            now.fetch_sub(1, SeqCst);
        };
        drop(pool.spawn(count).unwrap());
    }
    drop(pool);
    assert!(most.load(SeqCst) <= 4);
}

/// Sleeping workers use no processor time. Measured per thread, so that other tests in this process do not count, and in
/// ticks, of which a worker that polled would use up many.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_pool_uses_no_processor_time() {
    use std::time::Duration;

    fn ticks(thread: &str) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
    fn switches(thread: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.rsplit('\t').next().unwrap().parse().unwrap()
    }
    fn workers() -> Vec<String> {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|entry| entry.unwrap().file_name());
        threads
            .map(|thread| thread.into_string().unwrap())
            .filter(|thread| {
                std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"))
                    .is_ok_and(|name| name.starts_with("idle-"))
            })
            .collect()
    }

    let pool = ThreadPoolExecutor::builder().max_workers(8).name_prefix("idle-").build().unwrap();
    let sum: u64 = pool.map(|n: u64| n, 0..1000u64).unwrap().map(Result::unwrap).sum();
    assert_eq!(sum, 499_500);
    let workers = workers();
    assert_eq!(workers.len(), 8);
    let all = |measure: fn(&str) -> u64| workers.iter().map(|worker| measure(worker)).sum::<u64>();
    // All of them get to sleep at last; how soon is the machine's affair.
    let mut before = all(switches);
    let asleep = loop {
        thread::sleep(Duration::from_millis(100));
        let now = all(switches);
        if now == before {
            break (all(ticks), now);
        }
        before = now;
    };
    thread::sleep(Duration::from_millis(300));
    // Not woken once, and not one tick used.
    assert_eq!((all(ticks), all(switches)), asleep);
}
