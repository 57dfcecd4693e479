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
                // Pauses of different lengths, so that tasks arrive while workers search, fall asleep and sleep.
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
fn all_workers_are_woken_if_there_is_work_for_all() {
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
                // From one worker. The others must steal from its queue.
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
fn cf_046_no_more_tasks_run_at_a_time_than_there_are_workers() {
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

/// Sleeping workers use no processor time and are not woken. With a worker that polled, no two readings would ever be
/// equal. A worker that has not fallen asleep yet, because the machine is busy, only makes the test read again.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_pool_uses_no_processor_time() {
    use std::{
        fs,
        time::{Duration, Instant},
    };

    /// Returns the processor time in ticks, and the number of times that the thread blocked.
    fn activity(thread: &str) -> (u64, u64) {
        let stat = fs::read_to_string(format!("/proc/{thread}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        (ticks, line.rsplit('\t').next().unwrap().parse().unwrap())
    }

    watched(|| {
        let pool = ThreadPoolExecutor::new(8).unwrap();
        let barrier = Arc::new(Barrier::new(8));
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let barrier = barrier.clone();
                pool.spawn(move || {
                    barrier.wait();
                    fs::read_link("/proc/thread-self").unwrap().into_os_string().into_string().unwrap()
                })
                .unwrap()
            })
            .collect();
        let workers: Vec<String> = workers.into_iter().map(|worker| worker.result(HANGS).unwrap()).collect();
        let all = || workers.iter().map(|worker| activity(worker)).collect::<Vec<_>>();
        let start = Instant::now();
        loop {
            let before = all();
            thread::sleep(Duration::from_millis(300));
            let after = all();
            if before == after {
                break;
            }
            assert!(start.elapsed() < HANGS / 2, "idle workers are active: {before:?}, then {after:?}");
        }
    });
}
