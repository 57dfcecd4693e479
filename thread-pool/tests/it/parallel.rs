//! Work that a scope divides among the workers: `join`, `map`, `for_each`, `reduce`.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use executor_core::{Backend, Executor, Shutdown, task};
use thread_pool::{Scope, ThreadPoolExecutor};

use crate::support::{HANGS, watched};

fn fibonacci(scope: &Scope<'_, '_>, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (one, other) = scope.join(|| fibonacci(scope, n - 1), || fibonacci(scope, n - 2));
    one + other
}

/// Returns the text of a panic of this code.
fn panic_of<R>(code: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(code)).err().expect("it panics");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().expect("a text").to_string(),
    }
}

#[test]
fn a_recursion_of_joins_returns_the_same_on_every_number_of_workers() {
    for workers in [1, 2, 3, 8] {
        watched(move || {
            let pool = Arc::new(ThreadPoolExecutor::new(workers).unwrap());
            for _ in 0..20 {
                assert_eq!(pool.scope(|scope| fibonacci(scope, 18)), 2584);
            }
            let inner = pool.clone();
            let inside = pool.spawn(move || inner.scope(|scope| fibonacci(scope, 18))).unwrap();
            assert_eq!(inside.result(HANGS).unwrap(), 2584);
        });
    }
}

#[test]
fn several_threads_and_tasks_join_at_the_same_time() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(3).unwrap());
        thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| assert_eq!(pool.scope(|scope| fibonacci(scope, 17)), 1597));
            }
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let inner = pool.clone();
                    pool.spawn(move || inner.scope(|scope| fibonacci(scope, 17))).unwrap()
                })
                .collect();
            tasks.into_iter().for_each(|task| assert_eq!(task.result(HANGS).unwrap(), 1597));
        });
    });
}

#[test]
fn two_closures_run_at_the_same_time_if_a_worker_is_idle() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        for _ in 0..100 {
            let meet = Barrier::new(2);
            let meets = || meet.wait().is_leader();
            let (one, other) = pool.scope(|scope| scope.join(meets, meets));
            assert!(one != other);
        }
    });
}

#[test]
fn a_worker_that_waits_for_the_other_half_helps_with_it() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        let (started, meet) = (Barrier::new(2), Barrier::new(2));
        // The first closure ends when the second one runs elsewhere. Then the two inner closures can meet only if the
        // worker that waits runs one of them.
        pool.scope(|scope| {
            scope.join(
                || started.wait(),
                || {
                    started.wait();
                    scope.join(|| meet.wait(), || meet.wait());
                },
            )
        });
    });
}

#[test]
fn both_closures_belong_to_the_task_of_the_caller() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
        let inner = pool.clone();
        let names = pool.spawn_with(executor_core::TaskOptions::new().name("outer"), move || {
            let meet = Barrier::new(2);
            let name = || {
                meet.wait();
                let context = task::current().unwrap();
                (context.name().to_string(), context.id())
            };
            let names = inner.scope(|scope| scope.join(name, name));
            (names, task::current().unwrap().id())
        });
        let ((one, other), own) = names.unwrap().result(HANGS).unwrap();
        assert_eq!((one.0.as_str(), one.1), ("outer", own));
        assert_eq!(one, other);
    });
}

#[test]
fn a_panic_of_either_closure_is_raised_after_both_have_ended() {
    for workers in [1, 2] {
        watched(move || {
            let pool = ThreadPoolExecutor::new(workers).unwrap();
            let ended = AtomicUsize::new(0);
            let text =
                panic_of(|| pool.scope(|scope| scope.join(|| panic!("the first"), || ended.fetch_add(1, SeqCst))));
            assert!(text.contains("the first"), "{text}");
            let text = panic_of(|| {
                pool.scope(|scope| scope.join(|| ended.fetch_add(100, SeqCst), || panic!("the second {}", 2)))
            });
            assert!(text.contains("the second 2"), "{text}");
            assert!(ended.load(SeqCst) >= 100);
            assert_eq!(pool.submit(|n: u64| n + 1, 1).unwrap().result(HANGS).unwrap(), 2);
        });
    }
}

#[test]
fn a_panic_on_another_worker_has_its_place() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        let meet = Barrier::new(2);
        let text = panic_of(|| {
            pool.scope(|scope| {
                scope.join(
                    || meet.wait(),
                    || {
                        meet.wait();
                        panic!("elsewhere")
                    },
                )
            })
        });
        assert!(text.contains("elsewhere (at ") && text.contains("parallel.rs:"), "{text}");
    });
}

#[test]
fn scoped_tasks_that_a_closure_spawns_end_before_the_scope() {
    for workers in [1, 3] {
        watched(move || {
            let pool = ThreadPoolExecutor::new(workers).unwrap();
            let ran = AtomicUsize::new(0);
            pool.scope(|scope| {
                let spawn = || {
                    for _ in 0..50 {
                        drop(scope.spawn(|| {
                            ran.fetch_add(1, SeqCst);
                            scope.join(|| ran.fetch_add(1, SeqCst), || ran.fetch_add(1, SeqCst));
                        }));
                    }
                };
                scope.join(spawn, spawn);
            });
            assert_eq!(ran.load(SeqCst), 300);
        });
    }
}

#[test]
fn a_closed_pool_runs_the_closures_in_the_caller() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        pool.shutdown(Shutdown::Drain);
        let own = thread::current().id();
        let (one, other) = pool.scope(|scope| scope.join(|| thread::current().id(), || thread::current().id()));
        assert_eq!((one, other), (own, own));
        assert_eq!(pool.scope(|scope| scope.map(&[1, 2, 3], |n| n * 2)), [2, 4, 6]);
    });
}

#[test]
fn joins_end_while_the_pool_is_closed() {
    for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Terminate { grace: HANGS }] {
        for _ in 0..20 {
            watched(move || {
                let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
                let (inner, started) = (pool.clone(), Arc::new(Barrier::new(2)));
                let starts = started.clone();
                let task = pool.spawn(move || {
                    starts.wait();
                    inner.scope(|scope| fibonacci(scope, 18))
                });
                started.wait();
                pool.close(mode);
                assert_eq!(task.unwrap().result(HANGS).unwrap(), 2584);
            });
        }
    }
}

#[test]
fn a_map_borrows_and_keeps_the_order() {
    for workers in [1, 2, 5] {
        watched(move || {
            let pool = ThreadPoolExecutor::new(workers).unwrap();
            for items in [0, 1, 2, 3, 7, 1000, 10_000] {
                let texts: Vec<String> = (0..items).map(|n| n.to_string()).collect();
                let borrowed: Vec<&str> = pool.scope(|scope| scope.map(&texts, |text| text.as_str()));
                assert_eq!(borrowed, texts);
            }
        });
    }
}

#[test]
fn a_map_runs_on_all_workers_and_raises_a_panic() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        let (meet, threads) = (Barrier::new(2), Mutex::new(HashSet::new()));
        pool.scope(|scope| {
            scope.map(&[0, 1], |_| {
                meet.wait();
                threads.lock().unwrap().insert(thread::current().id());
            })
        });
        assert_eq!(threads.into_inner().unwrap().len(), 2);
        let numbers: Vec<u32> = (0..1000).collect();
        let text = panic_of(|| pool.scope(|scope| scope.map(&numbers, |n| assert!(*n != 700, "not {n}"))));
        assert!(text.contains("not 700") && text.contains("parallel.rs:"), "{text}");
    });
}

#[test]
fn for_each_has_each_chunk_of_a_slice_once() {
    for workers in [1, 3] {
        watched(move || {
            let pool = ThreadPoolExecutor::new(workers).unwrap();
            for (length, size) in [(0, 1), (1, 3), (1000, 7), (1000, 1), (10, 100)] {
                let mut numbers = vec![0; length];
                pool.scope(|scope| {
                    scope.for_each(numbers.chunks_mut(size).enumerate(), |(index, chunk)| {
                        chunk.iter_mut().for_each(|number| *number += index + 1);
                    })
                });
                assert!(numbers.iter().enumerate().all(|(place, number)| *number == place / size + 1));
            }
        });
    }
}

#[test]
fn a_reduce_merges_neighbours_in_their_order() {
    for workers in [1, 2, 4] {
        watched(move || {
            let pool = ThreadPoolExecutor::new(workers).unwrap();
            let words: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
            let joined = pool.scope(|scope| scope.reduce(&words, String::new, |all, word| all + word, |a, b| a + &b));
            assert_eq!(joined, words.concat());
            assert_eq!(pool.scope(|scope| scope.reduce(&[], || 7, |all, n: &u64| all + n, |a, b| a + b)), 7);
        });
    }
}

#[cfg(feature = "rayon")]
#[test]
fn a_scope_on_a_rayon_pool_divides_work_too() {
    for threads in [1, 3] {
        watched(move || {
            let rayon = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
            let executor = thread_pool::RayonExecutor::new(rayon);
            assert_eq!(executor.scope(|scope| fibonacci(scope, 12)), 144);
            let numbers: Vec<u64> = (0..1000).collect();
            let total = executor.scope(|scope| scope.map(&numbers, |n| n + 1)).iter().sum::<u64>();
            assert_eq!(total, 500_500);
            let text = panic_of(|| executor.scope(|scope| scope.join(|| 1, || panic!("on rayon"))));
            assert!(text.contains("on rayon"), "{text}");
        });
    }
}
