//! Waits with a time-out inside tasks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc::channel,
    },
    time::Duration,
};

use executor_core::{Backend, ErrorKind, Executor, Future, MapOptions, ReturnWhen, Task, as_completed, wait};
use thread_pool::ThreadPoolExecutor;

use crate::support::{HANGS, watched};

/// A time-out that is over before the awaited task ends, because that task waits for the waiter.
const SHORT: Duration = Duration::from_millis(10);

/// Returns executors with this number of workers.
fn executors(workers: usize) -> Vec<Arc<dyn Backend>> {
    vec![
        Arc::new(ThreadPoolExecutor::new(workers).unwrap()),
        #[cfg(feature = "rayon")]
        Arc::new(thread_pool::RayonExecutor::new(Arc::new(
            rayon::ThreadPoolBuilder::new().num_threads(workers).build().unwrap(),
        ))),
    ]
}

fn submit<R: Send + 'static>(backend: &dyn Backend, closure: impl FnOnce() -> R + Send + 'static) -> Future<R> {
    let (task, future) = Task::from_closure(Default::default(), closure);
    backend.schedule(task).unwrap();
    future
}

/// Waits until a short time-out is over. Returns the future, which is not done.
type Way = fn(Future<u64>) -> Future<u64>;

fn ways() -> [Way; 4] {
    [
        |future| {
            assert_eq!(future.result(SHORT).unwrap_err().kind(), ErrorKind::Timeout);
            future
        },
        |future| {
            assert_eq!(future.exception(SHORT).unwrap_err().kind(), ErrorKind::Timeout);
            future
        },
        |future| {
            let mut waited = wait([future], SHORT, ReturnWhen::AllCompleted);
            assert!(waited.done.is_empty());
            waited.not_done.pop().unwrap()
        },
        |future| {
            let shared = future.shared();
            assert_eq!(shared.result(SHORT).unwrap_err().kind(), ErrorKind::Timeout);
            let (promise, future) = executor_core::promise();
            submit(&executor_core::InlineExecutor::new(), move || {
                std::thread::spawn(move || promise.set_result(shared.result(None).unwrap()))
            })
            .result(None)
            .unwrap();
            future
        },
    ]
}

#[test]
fn a_time_out_holds_while_another_worker_is_idle() {
    for way in ways() {
        for workers in [2, 4] {
            for executor in executors(workers) {
                watched(move || {
                    let inner = executor.clone();
                    let outer = submit(&*executor, move || {
                        let (tell, told) = channel::<()>();
                        let awaited = submit(&*inner, move || {
                            told.recv().unwrap();
                            7u64
                        });
                        drop(inner);
                        let awaited = way(awaited);
                        // It can end only now, so this thread has not run it.
                        tell.send(()).unwrap();
                        awaited.result(None).unwrap()
                    });
                    assert_eq!(outer.result(HANGS).unwrap(), 7);
                });
            }
        }
    }
}

/// Waits until this round has begun.
fn waits_for_round(round: u64) -> u64 {
    while ROUND.load(SeqCst) < round {
        std::thread::yield_now();
    }
    round
}

static ROUND: AtomicU64 = AtomicU64::new(0);

#[test]
fn time_outs_of_as_completed_and_map_hold_while_another_worker_is_idle() {
    let by_as_completed: fn(&dyn Backend, u64) = |backend, round| {
        let mut completed = as_completed([backend.submit(waits_for_round, round).unwrap()], SHORT);
        assert_eq!(completed.next().unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    };
    let by_map: fn(&dyn Backend, u64) = |backend, round| {
        let mut map = backend.map_with(MapOptions::new().timeout(SHORT), waits_for_round, [round]).unwrap();
        assert_eq!(map.next().unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    };
    let by_unordered_map: fn(&dyn Backend, u64) = |backend, round| {
        let options = MapOptions::new().timeout(SHORT).unordered();
        let mut map = backend.map_with(options, waits_for_round, [round]).unwrap();
        assert_eq!(map.next().unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    };
    for way in [by_as_completed, by_map, by_unordered_map] {
        // New executors each time, so that no worker is still ending an earlier task.
        for executor in executors(2) {
            watched(move || {
                let round = ROUND.load(SeqCst) + 1;
                let inner = executor.clone();
                let outer = submit(&*executor, move || {
                    way(&*inner, round);
                    ROUND.store(round, SeqCst);
                });
                outer.result(HANGS).unwrap();
            });
        }
    }
}

#[test]
fn a_wait_with_a_time_out_runs_the_awaited_task_if_no_worker_is_idle() {
    for executor in executors(1) {
        watched(move || {
            let inner = executor.clone();
            let outer = submit(&*executor, move || {
                let one = inner.submit(|n: u64| n, 1).unwrap().result(HANGS).unwrap();
                let two = inner.submit(|n: u64| n, 2).unwrap();
                assert!(two.exception(HANGS).unwrap().is_none());
                let futures = [inner.submit(|n: u64| n, 3).unwrap(), inner.submit(|n: u64| n, 4).unwrap()];
                let waited = wait(futures, HANGS, ReturnWhen::AllCompleted);
                let rest = as_completed(waited.done, HANGS).map(|future| future.unwrap().result(HANGS).unwrap());
                let mapped = inner.map_with(MapOptions::new().timeout(HANGS), |n: u64| n, 5..7u64).unwrap();
                one + two.result(HANGS).unwrap() + rest.sum::<u64>() + mapped.map(Result::unwrap).sum::<u64>()
            });
            assert_eq!(outer.result(HANGS).unwrap(), 21);
        });
    }
}

/// The other worker is idle when the wait begins. Then it takes a task that waits for the awaited one.
#[test]
fn a_wait_with_a_time_out_runs_the_awaited_task_when_the_last_idle_worker_becomes_busy() {
    for executor in executors(2) {
        watched(move || {
            for round in 0..1_000u64 {
                let inner = executor.clone();
                let outer = submit(&*executor, move || {
                    let (tell, told) = channel::<u64>();
                    let before = submit(&*inner, move || told.recv().unwrap());
                    let awaited = submit(&*inner, move || tell.send(round).unwrap());
                    match round % 3 {
                        0 => awaited.result(HANGS).unwrap(),
                        1 => assert_eq!(wait([awaited], HANGS, ReturnWhen::AllCompleted).not_done.len(), 0),
                        _ => assert!(as_completed([awaited], HANGS).next().unwrap().is_ok()),
                    }
                    before.result(HANGS).unwrap()
                });
                assert_eq!(outer.result(HANGS).unwrap(), round);
            }
        });
    }
}
