//! The executor over a rayon pool.

use std::sync::{
    Arc, Barrier, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
    mpsc::channel,
};

use executor_core::{Backend, Error, ErrorKind, Executor, Future, Map, MapOptions, Shutdown, Task, TaskOptions, task};
use thread_pool::RayonExecutor;

use crate::support::{HANGS, watched};

fn rayon_pool(threads: usize) -> Arc<rayon::ThreadPool> {
    Arc::new(rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
}

#[test]
fn it_submits_maps_and_leaves_the_pool_running() {
    watched(|| {
        let rayon = rayon_pool(2);
        let executor = RayonExecutor::new(rayon.clone());
        assert_eq!(executor.max_workers(), 2);
        assert_eq!(executor.submit(|n: u64| n + 1, 1).unwrap().result(HANGS).unwrap(), 2);
        let options = MapOptions::new().buffersize(3);
        let numbers = executor.map_with(options, |n: u64| n, 0..100u64).unwrap();
        assert_eq!(numbers.map(Result::unwrap).sum::<u64>(), 4950);
        let error = executor.submit(|()| -> u64 { panic!("contained") }, ()).unwrap().result(HANGS).unwrap_err();
        assert_eq!(error.panic().unwrap().message(), "contained");
        assert!(error.panic().unwrap().worker().starts_with("RayonExecutor-"));
        executor.shutdown(Shutdown::Drain);
        assert_eq!(executor.submit(|()| (), ()).unwrap_err().kind(), ErrorKind::ShutDown);
        drop(executor);
        assert_eq!(rayon.install(|| 6 * 7), 42);
    });
}

#[test]
fn it_runs_tasks_on_the_global_pool() {
    watched(|| {
        let executor = RayonExecutor::global();
        assert_eq!(executor.submit(|n: u64| n + 1, 1).unwrap().result(HANGS).unwrap(), 2);
    });
}

/// Asserts that the calling task of an executor over the global pool runs in that pool and in no other.
fn assert_global(other: &rayon::ThreadPool, executor: &str, threads: usize) {
    assert!(rayon::current_thread_index().is_some(), "in a pool");
    assert!(other.current_thread_index().is_none(), "not in the pool that submitted");
    assert_eq!(rayon::current_num_threads(), threads);
    let worker = task::current().unwrap().worker().to_string();
    assert_eq!(worker, format!("{executor}_{}", rayon::current_thread_index().unwrap()));
}

/// Returns the name of the executor, from the name of a worker.
fn name_of(executor: &RayonExecutor) -> String {
    let worker =
        executor.submit(|()| task::current().unwrap().worker().to_string(), ()).unwrap().result(HANGS).unwrap();
    worker.rsplit_once('_').unwrap().0.to_string()
}

#[test]
fn tasks_of_the_global_pool_run_there_even_if_another_pool_submits_them() {
    watched(|| {
        let global = rayon::current_num_threads();
        // The other pool is smaller, equal and larger. The executor is made outside of it and in it.
        for size in [1, global, global + 3] {
            let other = rayon_pool(size);
            for executor in [RayonExecutor::global(), other.install(RayonExecutor::global)] {
                assert_eq!(executor.max_workers(), global);
                let name = name_of(&executor);
                let executor = Arc::new(executor);
                let check = {
                    let (other, name) = (other.clone(), name.clone());
                    move || assert_global(&other, &name, global)
                };
                other.install(|| {
                    let futures: Vec<_> = (0..50).map(|_| executor.spawn(check.clone()).unwrap()).collect();
                    futures.into_iter().for_each(|future| future.result(HANGS).unwrap());
                });
                // From a thread of the other pool, in a job of that pool.
                let (sent, received) = channel();
                other.spawn({
                    let (executor, check) = (executor.clone(), check.clone());
                    move || sent.send(executor.spawn(check).unwrap()).unwrap()
                });
                received.recv().unwrap().result(HANGS).unwrap();
                // From a task that another executor runs in the other pool, and from its callback.
                let over_other = RayonExecutor::new(other.clone());
                let (sent, received) = channel();
                let outer = over_other.spawn({
                    let (executor, check) = (executor.clone(), check.clone());
                    move || executor.spawn(check).unwrap().result(HANGS).unwrap()
                });
                let outer = outer.unwrap();
                outer.add_done_callback({
                    let (executor, check) = (executor.clone(), check.clone());
                    move |_| sent.send(executor.spawn(check).unwrap()).unwrap()
                });
                outer.result(HANGS).unwrap();
                received.recv().unwrap().result(HANGS).unwrap();
                drop(over_other);
                // Nested, from tasks in the global pool. A task that waits runs the awaited task inline.
                let nested = other.install(|| {
                    let (inner, check) = (executor.clone(), check.clone());
                    executor.spawn(move || inner.spawn(check).unwrap().result(None).unwrap()).unwrap()
                });
                nested.result(HANGS).unwrap();
            }
        }
    });
}

#[test]
fn a_map_over_the_global_pool_is_submitted_and_read_in_another_pool() {
    /// A number of threads that no other pool here has.
    const OTHER: usize = 17;
    fn number(n: u64) -> u64 {
        assert!(rayon::current_thread_index().is_some());
        assert_ne!(rayon::current_num_threads(), OTHER);
        n
    }
    watched(|| {
        let other = rayon_pool(OTHER);
        let executor = RayonExecutor::global();
        let map = || executor.map_with(MapOptions::new().buffersize(5), number, 0..100u64).unwrap();
        let sum = |map: Map<u64>| map.map(Result::unwrap).sum::<u64>();
        let submitted_inside = other.install(map);
        assert_eq!(sum(submitted_inside), 4950);
        let submitted_outside = map();
        assert_eq!(other.install(|| sum(submitted_outside)), 4950);
    });
}

#[test]
fn an_executor_over_a_pool_is_used_inside_another_pool() {
    watched(|| {
        let (own, other) = (rayon_pool(2), rayon_pool(3));
        let executor = Arc::new(RayonExecutor::new(own.clone()));
        let inner = executor.clone();
        let in_own_pool = move || own.current_thread_index().unwrap() < 2;
        other.install(|| {
            let nested = in_own_pool.clone();
            let outer = executor.spawn(move || inner.spawn(nested).unwrap().result(None).unwrap()).unwrap();
            assert!(outer.result(HANGS).unwrap() && executor.spawn(in_own_pool).unwrap().result(HANGS).unwrap());
        });
    });
}

#[test]
fn an_executor_over_the_global_pool_is_shut_down_in_another_pool() {
    watched(|| {
        let other = rayon_pool(2);
        for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Terminate { grace: HANGS }] {
            other.install(|| {
                let executor = RayonExecutor::global();
                let futures: Vec<_> = (0..100u64).map(|n| executor.submit(|n: u64| n, n).unwrap()).collect();
                executor.shutdown(mode);
                assert_eq!(executor.submit(|n: u64| n, 1).unwrap_err().kind(), ErrorKind::ShutDown);
                assert!(executor.join(None) && futures.iter().all(Future::done));
                assert!(mode != Shutdown::Drain || futures.iter().all(|future| !future.cancelled()));
            });
        }
    });
}

#[test]
fn tasks_start_by_priority_and_then_in_order() {
    watched(|| {
        let executor = RayonExecutor::new(rayon_pool(1));
        let (running, runs) = channel();
        let (release, released) = channel::<()>();
        drop(
            executor
                .spawn(move || {
                    running.send(()).unwrap();
                    let _ = released.recv();
                })
                .unwrap(),
        );
        runs.recv().unwrap();
        let started = Arc::new(Mutex::new(Vec::new()));
        for (n, priority) in [0, -1, 5, 0, 5].into_iter().enumerate() {
            let started = started.clone();
            let options = TaskOptions::new().priority(priority);
            drop(executor.spawn_with(options, move || started.lock().unwrap().push(n)).unwrap());
        }
        drop(release);
        drop(executor);
        assert_eq!(*started.lock().unwrap(), [2, 4, 0, 3, 1]);
    });
}

#[test]
fn nested_waits_do_not_use_up_the_threads() {
    watched(|| {
        let executor = RayonExecutor::new(rayon_pool(1));
        let handle = executor.handle().unwrap();
        let outer = executor.spawn(move || handle.submit(|n: u64| n + 1, 1).unwrap().result(None).unwrap()).unwrap();
        assert_eq!(outer.result(HANGS).unwrap(), 2);
    });
}

#[test]
fn a_cancelling_close_waits_for_running_tasks() {
    watched(|| {
        let executor = Arc::new(RayonExecutor::new(rayon_pool(1)));
        let barrier = Arc::new(Barrier::new(2));
        let (in_task, inner) = (barrier.clone(), executor.clone());
        let runs = executor
            .spawn(move || {
                in_task.wait();
                while !task::current().unwrap().is_cancelled() {
                    std::thread::yield_now();
                }
                inner.join(None)
            })
            .unwrap();
        barrier.wait();
        let waiting = executor.submit(|n: u64| n, 1).unwrap();
        executor.close(Shutdown::Terminate { grace: HANGS });
        assert!(waiting.cancelled());
        assert!(executor.join(None));
        assert!(!runs.result(HANGS).unwrap());
    });
}

#[test]
fn a_submit_that_races_with_a_drain_runs_or_is_refused() {
    watched(|| {
        let rayon = rayon_pool(2);
        for _ in 0..100 {
            let executor = Arc::new(RayonExecutor::new(rayon.clone()));
            let ran = Arc::new(AtomicUsize::new(0));
            let submitter = std::thread::spawn({
                let (executor, ran) = (executor.clone(), ran.clone());
                move || {
                    let submit = || {
                        let ran = ran.clone();
                        executor.spawn(move || ran.fetch_add(1, SeqCst))
                    };
                    std::iter::from_fn(|| submit().ok()).count()
                }
            });
            executor.shutdown(Shutdown::Drain);
            let accepted = submitter.join().unwrap();
            assert!(executor.join(None));
            assert_eq!(accepted, ran.load(SeqCst));
        }
    });
}

#[test]
fn a_wait_that_is_nested_deeper_than_the_stack_is_an_error() {
    fn nest(handle: &Arc<dyn Backend>, left: u32) -> Result<u32, Error> {
        if left == 0 {
            return Ok(0);
        }
        let below = handle.clone();
        let (task, future) = Task::from_closure(TaskOptions::new(), move || nest(&below, left - 1));
        handle.schedule(task)?;
        let result = future.result(None);
        assert!(result.is_ok() || future.cancel());
        Ok(1 + result??)
    }
    watched(|| {
        // Another thread could take the refused task before it is cancelled here.
        let executor = RayonExecutor::new(rayon_pool(1));
        let handle = executor.handle().unwrap();
        let few = handle.clone();
        assert_eq!(executor.spawn(move || nest(&few, 100)).unwrap().result(HANGS).unwrap().unwrap(), 100);
        let error = executor.spawn(move || nest(&handle, 1_000_000)).unwrap().result(HANGS).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
        assert_eq!(executor.submit(|n: u64| n, 7).unwrap().result(HANGS).unwrap(), 7);
    });
}

#[test]
fn scoped_tasks_borrow_on_a_rayon_pool() {
    watched(|| {
        let executor = RayonExecutor::new(rayon_pool(2));
        let words = ["one".to_string(), "three".to_string()];
        let lengths = executor.scope(|scope| {
            words.each_ref().map(|word| scope.spawn(|| word.len())).map(|length| length.result(HANGS).unwrap())
        });
        assert_eq!(lengths, [3, 5]);

        // A scope inside a task runs its tasks inline if no other thread does.
        let single = Arc::new(RayonExecutor::new(rayon_pool(1)));
        let inner = single.clone();
        let total = single.spawn(move || {
            let mut parts = [1, 2, 3];
            inner.scope(|scope| parts.iter_mut().for_each(|part| drop(scope.spawn(move || *part *= 2))));
            parts.iter().sum::<i32>()
        });
        assert_eq!(total.unwrap().result(HANGS).unwrap(), 12);

        let raised = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            executor.scope(|scope| drop(scope.spawn(|| panic!("on a rayon thread"))));
        }));
        assert!(raised.unwrap_err().downcast::<String>().unwrap().contains("on a rayon thread"));
    });
}
