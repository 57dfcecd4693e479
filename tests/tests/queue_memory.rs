//! Tasks that end while they are in a queue free their memory, although no worker is free to remove them. Such a task
//! was cancelled, or a task that waits for it ran it inline.
//!
//! The tests are in a separate binary and run one at a time, because they count all memory of the program.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::channel};

use concurrent_futures::{Backend, Executor, Future, Task, TaskOptions, ThreadPoolExecutor};
use costs::heap::{Heap, live_bytes};
use test_support::{Blocker, DEADLINE};
use thread_pool::RayonExecutor;

#[global_allocator]
static HEAP: Heap = Heap;

const TASKS: usize = 20_000;
/// The number of bytes in each task. All tasks together take 20 MB.
const SIZE: usize = 1024;
/// How much of that may stay allocated.
const LEFT: usize = 2 << 20;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates a task that contains so many bytes and returns its number.
fn task(priority: i32, number: usize) -> (Task, Future<usize>) {
    let bytes = [number as u8; SIZE];
    let closure = move || number + usize::from(bytes[SIZE / 2]) - usize::from(number as u8);
    Task::from_closure(TaskOptions::new().priority(priority), closure)
}

fn spawn(backend: &dyn Backend, priority: i32, number: usize) -> Future<usize> {
    let (task, future) = task(priority, number);
    backend.schedule(task).unwrap();
    future
}

/// Executors with one worker.
fn executors() -> [(&'static str, Box<dyn Backend>); 2] {
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    [
        ("threads", Box::new(ThreadPoolExecutor::new(1).unwrap())),
        ("rayon", Box::new(RayonExecutor::new(Arc::new(rayon)))),
    ]
}

fn assert_freed(before: usize, what: &str) {
    let left = live_bytes().saturating_sub(before);
    assert!(left < LEFT, "{what}: {left} bytes of {} are left", TASKS * SIZE);
}

#[test]
fn cancelled_tasks_keep_no_memory() {
    let _alone = alone();
    for (name, executor) in executors() {
        for priority in [0, 3, -3] {
            let blocker = Blocker::start(&*executor);
            let before = live_bytes();
            // Every thousandth task is not cancelled, and runs later.
            let waiting: Vec<_> = (0..TASKS)
                .filter_map(|number| {
                    let future = spawn(&*executor, priority, number);
                    if number % 1000 == 0 {
                        return Some((number, future));
                    }
                    assert!(future.cancel());
                    None
                })
                .collect();
            assert_freed(before, &format!("one after the other, {name}, priority {priority}"));
            let futures: Vec<_> = (0..TASKS).map(|number| spawn(&*executor, priority, number)).collect();
            assert!(futures.iter().all(Future::cancel));
            drop(futures);
            assert_freed(before, &format!("all together, {name}, priority {priority}"));
            blocker.release();
            for (number, future) in waiting {
                assert_eq!(future.result(DEADLINE).unwrap(), number);
            }
        }
    }
}

#[test]
fn cancelled_tasks_of_a_bounded_pool_keep_no_memory() {
    let _alone = alone();
    let pool = ThreadPoolExecutor::builder().max_workers(1).queue_capacity(2).build().unwrap();
    let blocker = Blocker::start(&pool);
    let before = live_bytes();
    let waiting = spawn(&pool, 0, 7);
    for number in 0..TASKS {
        assert!(spawn(&pool, 0, number).cancel());
    }
    assert_freed(before, "bounded");
    blocker.release();
    assert_eq!(waiting.result(DEADLINE).unwrap(), 7);
}

/// The tasks are in the local queue of the only worker, which is busy.
#[test]
fn cancelled_nested_tasks_keep_no_memory() {
    let _alone = alone();
    for cancelled_inside in [true, false] {
        for (name, executor) in executors() {
            let handle = executor.handle().unwrap();
            let (hand_over, handed_over) = channel();
            let (release, released) = channel::<()>();
            let before = live_bytes();
            let (outer, ended) = Task::from_closure(TaskOptions::new(), move || {
                for number in 0..TASKS {
                    let future = spawn(&*handle, 0, number);
                    if number % 1000 == 0 || !cancelled_inside {
                        hand_over.send(future).unwrap();
                    } else {
                        assert!(future.cancel());
                    }
                }
                drop(hand_over);
                let _ = released.recv();
            });
            executor.schedule(outer).unwrap();
            let futures: Vec<_> = handed_over.iter().enumerate().collect();
            let mut waiting = Vec::new();
            for (index, future) in futures {
                match (cancelled_inside, index % 1000 == 0) {
                    (true, _) => waiting.push((index * 1000, future)),
                    (false, true) => waiting.push((index, future)),
                    (false, false) => assert!(future.cancel()),
                }
            }
            let by = if cancelled_inside { "the task" } else { "another thread" };
            assert_freed(before, &format!("nested, cancelled by {by}, {name}"));
            // The other tasks still wait for the busy worker.
            assert!(!waiting.iter().any(|(_, future)| future.done()));
            drop(release);
            ended.result(DEADLINE).unwrap();
            for (number, future) in waiting {
                assert_eq!(future.result(DEADLINE).unwrap(), number);
            }
        }
    }
}

/// Each task leaves an entry in a queue.
#[test]
fn tasks_that_run_inline_keep_no_memory() {
    let _alone = alone();
    for (name, executor) in executors() {
        let handle = executor.handle().unwrap();
        let before = live_bytes();
        let (task, future) = Task::from_closure(TaskOptions::new(), move || {
            for number in 0..TASKS {
                assert_eq!(spawn(&*handle, 0, number).result(None).unwrap(), number);
            }
            assert_freed(before, &format!("run inline, {name}"));
        });
        executor.schedule(task).unwrap();
        future.result(DEADLINE).unwrap();
    }
    let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
    let inside = pool.clone();
    let before = live_bytes();
    let scopes = pool.spawn(move || {
        for number in 0..TASKS {
            let bytes = [number as u8; SIZE];
            inside.scope(|scope| scope.spawn(move || bytes).result(None).unwrap());
        }
        assert_freed(before, "scopes");
    });
    scopes.unwrap().result(DEADLINE).unwrap();
}

/// The tasks are in the injector.
#[test]
fn injected_tasks_that_run_inline_keep_no_memory() {
    let _alone = alone();
    for (name, executor) in executors() {
        let (hand_over, handed_over) = channel::<Future<usize>>();
        let (task, ended) = Task::from_closure(TaskOptions::new(), move || {
            let sum: usize = handed_over.iter().map(|future| future.result(None).unwrap()).sum();
            (sum, live_bytes())
        });
        executor.schedule(task).unwrap();
        let before = live_bytes();
        (0..TASKS).for_each(|number| hand_over.send(spawn(&*executor, 0, number)).unwrap());
        drop(hand_over);
        let (sum, after) = ended.result(DEADLINE).unwrap();
        assert_eq!(sum, TASKS * (TASKS - 1) / 2);
        let left = after.saturating_sub(before);
        assert!(left < LEFT, "from outside, run inline, {name}: {left} bytes are left");
    }
    let pool = ThreadPoolExecutor::new(1).unwrap();
    assert_eq!(pool.submit(|n: u64| n, 1).unwrap().result(DEADLINE).unwrap(), 1);
}
