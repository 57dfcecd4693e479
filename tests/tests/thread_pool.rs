//! CPython's cases about thread pools.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use conformance::Gate;
use executor_core::{ErrorKind, Executor, Future, Shutdown, task};
use test_support::DEADLINE;
use thread_pool::ThreadPoolExecutor;

fn pool(workers: usize) -> ThreadPoolExecutor {
    ThreadPoolExecutor::new(workers).expect("a pool of this size can be made")
}

fn thread_name((): ()) -> String {
    thread::current().name().unwrap_or_default().to_string()
}

/// Returns the names of all workers. Each worker runs a task that waits for the tasks of the others.
fn names_of_all(pool: &ThreadPoolExecutor, width: usize) -> BTreeSet<String> {
    let all = Arc::new(Barrier::new(width));
    let futures: Vec<_> = (0..width)
        .map(|_| {
            let all = all.clone();
            let call = move || {
                all.wait();
                thread_name(())
            };
            pool.spawn(call).expect("it is open")
        })
        .collect();
    futures.iter().map(|future| future.result(DEADLINE).expect("it succeeds")).collect()
}

#[test]
fn cf_041_zero_workers_are_refused() {
    let error = ThreadPoolExecutor::new(0).expect_err("no thread could run a task");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let error = ThreadPoolExecutor::builder().max_workers(0).build().expect_err("no thread could run a task");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_queue_capacity_of_zero_is_refused() {
    let error = ThreadPoolExecutor::builder().max_workers(1).queue_capacity(0).build().expect_err("nothing could wait");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn cf_045_the_default_width_is_at_least_one() {
    let pool = ThreadPoolExecutor::builder().build().expect("the default can be made");
    assert!(executor_core::Backend::max_workers(&pool) >= 1);
}

#[test]
fn cf_047_cf_149_tasks_one_after_the_other_use_the_same_thread() {
    let pool = pool(1);
    let names: BTreeSet<_> = (0..3)
        .map(|_| pool.submit(thread_name, ()).expect("it is open").result(DEADLINE).expect("it succeeds"))
        .collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn cf_098_every_thread_ends_with_the_pool() {
    let pool = pool(3);
    // Each worker has a thread-local value, which is dropped when its thread ends.
    let ended = Arc::new(AtomicUsize::new(0));
    struct Ends(Arc<AtomicUsize>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    thread_local!(static ENDS: std::cell::RefCell<Option<Ends>> = const { std::cell::RefCell::new(None) });
    let all = Arc::new(Barrier::new(3));
    let futures: Vec<_> = (0..3)
        .map(|_| {
            let (all, ends) = (all.clone(), Ends(ended.clone()));
            let call = move || {
                ENDS.set(Some(ends));
                all.wait();
            };
            pool.spawn(call).expect("it is open")
        })
        .collect();
    for future in futures {
        future.result(DEADLINE).expect("it succeeds");
    }
    assert_eq!(ended.load(Ordering::SeqCst), 0);
    pool.shutdown(Shutdown::Drain);
    assert_eq!(ended.load(Ordering::SeqCst), 3);
}

#[test]
fn cf_099_cf_100_the_end_of_a_block_waits_for_its_pool() {
    let results: Vec<_> = {
        let pool = pool(5);
        pool.map(|n: i64| n.abs(), -5..5).expect("it is open")
    }
    .map(|item| item.expect("it succeeds"))
    .collect();
    assert_eq!(results, [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
}

#[test]
fn cf_102_threads_are_named_by_the_prefix() {
    let pool = ThreadPoolExecutor::builder().max_workers(5).name_prefix("SpecialPool").build().expect("it can be made");
    let expected: BTreeSet<_> = (0..5).map(|number| format!("SpecialPool_{number}")).collect();
    assert_eq!(names_of_all(&pool, 5), expected);
    let future = pool.submit(|()| task::current().map(|context| context.worker().to_string()), ()).expect("it is open");
    assert!(expected.contains(&future.result(DEADLINE).expect("it succeeds").expect("it runs in a task")));
}

#[test]
fn cf_103_threads_have_names_of_their_own_by_default() {
    let pools = [pool(2), pool(2)];
    let names: BTreeSet<_> = pools.iter().flat_map(|pool| names_of_all(pool, 2)).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.iter().all(|name| !name.is_empty()));
}

thread_local!(static SEED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });

#[test]
fn cf_111_cf_133_the_initializer_runs_on_every_worker_before_its_first_task() {
    let pool = ThreadPoolExecutor::builder().max_workers(3).initializer(|seed| SEED.set(seed), 7u64);
    let pool = pool.build().expect("it can be made");
    let all = Arc::new(Barrier::new(3));
    let futures: Vec<_> = (0..3)
        .map(|_| {
            let all = all.clone();
            let call = move || {
                all.wait();
                SEED.get()
            };
            pool.spawn(call).expect("it is open")
        })
        .collect();
    for future in futures {
        assert_eq!(future.result(DEADLINE).expect("it succeeds"), 7);
    }
}

#[test]
fn cf_112_cf_138_an_initializer_that_fails_breaks_the_pool_and_says_why() {
    let pool = ThreadPoolExecutor::builder().max_workers(2).initializer(|_: u8| panic!("no licence found"), 0);
    let pool = pool.build().expect("it can be made");
    let broken = |submitted: Result<Future<u8>, executor_core::Error>| {
        let error = match submitted {
            Err(error) => error,
            Ok(future) => future.result(DEADLINE).expect_err("no worker can run it"),
        };
        assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
        assert!(error.to_string().contains("no licence found"), "{error}");
    };
    for _ in 0..5 {
        broken(pool.submit(|n: u8| n, 1));
    }
    pool.shutdown(Shutdown::Drain);
}

#[test]
fn cf_147_cf_148_tasks_that_wait_to_be_told_all_end_when_they_are_told() {
    for workers in [10, 4] {
        let pool = pool(workers);
        let gate = Gate::new("released", DEADLINE);
        let futures: Vec<_> = (0..10)
            .map(|label| pool.submit(conformance::Ticket::pass, gate.ticket(label)).expect("it is open"))
            .collect();
        // Five tasks are released one by one, and the others together.
        for released in 0..5 {
            let label = gate.wait_arrivals(released + 1)[released].label;
            gate.release(label);
        }
        gate.open();
        for (label, future) in (0..).zip(futures) {
            assert_eq!(future.result(DEADLINE).expect("it succeeds"), label);
        }
    }
}

#[test]
fn a_closure_may_capture() {
    let pool = pool(2);
    let (text, (sender, receiver)) = (String::from("captured"), mpsc::channel());
    let future = pool.spawn(move || sender.send(text.len())).expect("it is open");
    future.result(DEADLINE).expect("it succeeds").expect("the receiver lives");
    assert_eq!(receiver.try_recv(), Ok(8));
}

#[test]
fn tasks_of_a_scope_may_borrow_and_are_awaited() {
    let pool = pool(2);
    let mut numbers = vec![1, 2, 3, 4];
    let sum = AtomicUsize::new(0);
    pool.scope(|scope| {
        for number in &mut numbers {
            let sum = &sum;
            drop(scope.spawn(move || {
                sum.fetch_add(*number, Ordering::SeqCst);
                *number *= 2;
            }));
        }
    });
    assert_eq!(sum.load(Ordering::SeqCst), 10);
    assert_eq!(numbers, [2, 4, 6, 8]);
}
