//! Tasks that borrow.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use executor_core::{Backend, ErrorKind, Executor, Shutdown, TaskOptions};
use thread_pool::ThreadPoolExecutor;

use crate::support::{Blocker, HANGS, watched};

#[test]
fn scoped_tasks_borrow_and_return_values() {
    let pool = ThreadPoolExecutor::new(2).unwrap();
    let words = ["one".to_string(), "three".to_string()];
    let mut lengths = [0, 0];
    let longest = pool.scope(|scope| {
        for (word, length) in words.iter().zip(&mut lengths) {
            drop(scope.spawn(|| *length = word.len()));
        }
        scope.spawn(|| words.iter().max_by_key(|word| word.len()).unwrap().as_str()).result(HANGS).unwrap()
    });
    assert_eq!((lengths, longest), ([3, 5], "three"));
}

#[test]
fn a_scope_waits_for_all_tasks_even_if_its_closure_panics() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        let ran = AtomicUsize::new(0);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                for _ in 0..100 {
                    drop(scope.spawn(|| ran.fetch_add(1, SeqCst)));
                }
                panic!("the closure");
            })
        }));
        assert_eq!(ran.load(SeqCst), 100);
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"the closure"));
    });
}

#[test]
fn a_panic_of_a_scoped_task_is_a_value() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let text = String::from("borrowed");
    let error = pool.scope(|scope| scope.spawn(|| panic!("returned: {text}")).result(HANGS).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert_eq!(error.panic().unwrap().message(), "returned: borrowed");
    assert!(error.to_string().contains("a_panic_of_a_scoped_task"), "{error}");
}

#[test]
fn a_scope_raises_a_panic_that_no_one_has_read_after_all_tasks_have_ended() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        let ran = AtomicUsize::new(0);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                drop(scope.spawn(|| panic!("no one reads this")));
                let read = scope.spawn(|| panic!("read"));
                for _ in 0..10 {
                    drop(scope.spawn(|| ran.fetch_add(1, SeqCst)));
                }
                assert_eq!(read.result(HANGS).unwrap_err().kind(), ErrorKind::Panicked);
            })
        }));
        assert_eq!(ran.load(SeqCst), 10);
        let text = panic.unwrap_err().downcast::<String>().unwrap();
        assert!(text.contains("panicked: no one reads this (at ") && text.contains("scope.rs:"), "{text}");
    });
}

#[test]
fn a_panic_of_the_closure_is_raised_instead_of_one_of_a_task() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        pool.scope(|scope| {
            drop(scope.spawn(|| panic!("the task")));
            panic!("the closure");
        })
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"the closure"));
}

#[test]
fn a_task_without_a_reader_that_does_not_panic_is_not_raised() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let blocker = Blocker::start(&pool);
    pool.scope(|scope| {
        let cancelled = scope.spawn(|| panic!("it never runs"));
        assert!(cancelled.cancel());
        blocker.open();
    });
}

#[test]
fn scoped_tasks_may_spawn_more() {
    for workers in [1, 3] {
        watched(move || {
            let pool = ThreadPoolExecutor::new(workers).unwrap();
            let leaves = AtomicUsize::new(0);
            fn grow<'scope>(scope: &'scope thread_pool::Scope<'scope, '_>, leaves: &'scope AtomicUsize, depth: u32) {
                match depth {
                    0 => drop(leaves.fetch_add(1, SeqCst)),
                    _ => {
                        for _ in 0..2 {
                            drop(scope.spawn(move || grow(scope, leaves, depth - 1)));
                        }
                    }
                }
            }
            pool.scope(|scope| grow(scope, &leaves, 8));
            assert_eq!(leaves.load(SeqCst), 256);
        });
    }
}

#[test]
fn scopes_inside_tasks_do_not_use_up_the_workers() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
        fn sum(pool: &ThreadPoolExecutor, numbers: &[u64]) -> u64 {
            if numbers.len() < 4 {
                return numbers.iter().sum();
            }
            let (left, right) = numbers.split_at(numbers.len() / 2);
            let (mut one, mut two) = (0, 0);
            pool.scope(|scope| {
                drop(scope.spawn(|| one = sum(pool, left)));
                drop(scope.spawn(|| two = sum(pool, right)));
            });
            one + two
        }
        let inner = pool.clone();
        let numbers: Vec<u64> = (0..1000).collect();
        assert_eq!(pool.spawn(move || sum(&inner, &numbers)).unwrap().result(HANGS).unwrap(), 499_500);
    });
}

#[test]
fn a_scoped_task_can_be_cancelled_and_drops_what_it_captured() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let blocker = Blocker::start(&pool);
        let captured = Arc::new(());
        pool.scope(|scope| {
            let held = captured.clone();
            let future = scope.spawn_with(TaskOptions::new().name("held"), move || drop(held));
            assert!(!future.done() && future.cancel() && future.cancelled());
            assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::Cancelled);
        });
        assert_eq!(Arc::strong_count(&captured), 1);
        blocker.release();
    });
}

#[test]
fn a_value_is_moved_out_once() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    pool.scope(|scope| {
        let future = scope.spawn(|| vec![1]);
        assert_eq!(future.result(HANGS).unwrap(), [1]);
        assert_eq!(future.result(HANGS).unwrap_err().kind(), ErrorKind::InvalidState);
    });
}

#[test]
fn a_handle_has_the_error_of_a_closed_pool() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    pool.shutdown(Shutdown::Drain);
    let text = String::from("borrowed");
    pool.scope(|scope| {
        let future = scope.spawn(|| text.len());
        assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::ShutDown);
        assert!(future.done() && future.cancel() && future.id().is_none());
    });
}

#[test]
fn a_cancelling_close_ends_a_scope() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let (running, runs) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let results = Mutex::new(Vec::new());
        pool.scope(|scope| {
            drop(scope.spawn(move || {
                running.send(()).unwrap();
                let _ = released.recv();
            }));
            for n in 0..10 {
                let results = &results;
                drop(scope.spawn(move || results.lock().unwrap().push(n)));
            }
            runs.recv().unwrap();
            pool.close(Shutdown::CancelPending);
            drop(release);
        });
        assert!(results.lock().unwrap().is_empty());
    });
}
