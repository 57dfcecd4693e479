//! The number of other tasks that start before a waiting task is bounded, as the documentation of the executors states.
//! In each test only one worker is free, so the tasks that it has started before are counted exactly.

use std::sync::{
    Arc, Barrier, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    mpsc::channel,
};

use executor_core::{Backend, Future, Task, TaskOptions, task};
use thread_pool::{Scope, ThreadPoolExecutor};

use crate::support::{Blocker, HANGS, watched};

/// A number of tasks above every bound here.
const LOAD: usize = 20_000;

/// Tasks that count themselves, and one that returns how many ran before it.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn task(&self) -> impl FnOnce() + Send + 'static {
        let count = self.0.clone();
        move || {
            count.fetch_add(1, SeqCst);
        }
    }

    fn read(&self) -> impl FnOnce() -> usize + Send + 'static {
        let count = self.0.clone();
        move || count.load(SeqCst)
    }
}

fn spawn<R: Send + 'static>(
    pool: &dyn Backend,
    priority: i32,
    closure: impl FnOnce() -> R + Send + 'static,
) -> Future<R> {
    let (task, future) = Task::from_closure(TaskOptions::new().priority(priority), closure);
    pool.schedule(task).unwrap();
    future
}

fn load(pool: &dyn Backend, priority: i32, count: &Count) -> Vec<Future<()>> {
    (0..LOAD).map(|_| spawn(pool, priority, count.task())).collect()
}

fn index_of_worker() -> usize {
    task::current().unwrap().worker().rsplit_once('_').unwrap().1.parse().unwrap()
}

/// Runs one task on each worker at the same time, with the number of its worker.
fn on_all_workers(pool: &ThreadPoolExecutor, act: impl Fn(usize) + Clone + Send + 'static) -> Vec<Future<()>> {
    let all = Arc::new(Barrier::new(pool.max_workers()));
    (0..pool.max_workers())
        .map(|_| {
            let (all, act) = (all.clone(), act.clone());
            let task = move || {
                all.wait();
                act(index_of_worker());
            };
            pool.spawn(task).unwrap()
        })
        .collect()
}

#[test]
fn a_task_of_a_blocked_worker_starts_after_a_bounded_number_of_tasks_from_outside() {
    for workers in [2, 4] {
        for scoped in [false, true] {
            watched(move || {
                let pool = Arc::new(ThreadPoolExecutor::new(workers).unwrap());
                let count = Count::default();
                let mut blockers: Vec<_> = (1..workers).map(|_| Blocker::start(&pool)).collect();
                let (pushed, is_pushed) = channel();
                let (inside, read) = (pool.clone(), count.read());
                let waits = pool.spawn(move || {
                    let (sender, receiver) = channel();
                    let nested = move || sender.send(read()).unwrap();
                    let wait = || {
                        pushed.send(()).unwrap();
                        receiver.recv().unwrap()
                    };
                    if scoped {
                        inside.scope(|scope| {
                            drop(scope.spawn(nested));
                            wait()
                        })
                    } else {
                        drop(inside.spawn(nested).unwrap());
                        drop(inside);
                        wait()
                    }
                });
                is_pushed.recv().unwrap();
                drop(load(&*pool, 0, &count));
                blockers.pop().unwrap().release();
                let before = waits.unwrap().result(HANGS).unwrap();
                assert!(before < 128 * workers, "{before} of {workers} workers");
                blockers.into_iter().for_each(Blocker::release);
            });
        }
    }
}

#[test]
fn a_task_from_outside_starts_after_a_bounded_number_of_nested_tasks() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
        let count = Count::default();
        let (inside, nested) = (pool.clone(), count.clone());
        let blocker = Blocker::start(&pool);
        let outer = pool.spawn(move || drop(load(&*inside, 0, &nested))).unwrap();
        let waits = pool.spawn(count.read()).unwrap();
        blocker.release();
        outer.result(HANGS).unwrap();
        let before = waits.result(HANGS).unwrap();
        assert!(before <= 64, "{before}");
    });
}

/// One worker has many tasks in its queue and runs none of them. Another worker waits on a channel for one of its own
/// tasks.
#[test]
fn a_task_of_one_worker_starts_after_a_bounded_number_of_tasks_of_another_worker() {
    for shift in 0..3 {
        watched(move || {
            let pool = Arc::new(ThreadPoolExecutor::new(3).unwrap());
            let count = Count::default();
            let pushed = Arc::new(Barrier::new(3));
            let (noted, before) = channel();
            let (release, released) = channel::<()>();
            let released = Arc::new(Mutex::new(released));
            let act = {
                let (pool, count) = (pool.clone(), count.clone());
                move |worker: usize| {
                    let (sender, receiver) = channel();
                    let role = (worker + shift) % 3;
                    match role {
                        0 => drop(load(&*pool, 0, &count)),
                        1 => {
                            let read = count.read();
                            drop(pool.spawn(move || sender.send(read()).unwrap()).unwrap());
                        }
                        _ => {}
                    }
                    pushed.wait();
                    match role {
                        0 => drop(released.lock().unwrap().recv()),
                        1 => noted.send(receiver.recv().unwrap()).unwrap(),
                        _ => {}
                    }
                }
            };
            let roles = on_all_workers(&pool, act);
            let before = before.recv_timeout(HANGS).unwrap();
            drop(release);
            roles.into_iter().for_each(|role| role.result(HANGS).unwrap());
            assert!(before < 128 * 3, "{before}");
        });
    }
}

/// The priority of the load, and that of the task that waits behind it.
const PRIORITIES: [(i32, i32); 6] = [(0, -1), (1, 0), (i32::MAX, i32::MIN), (5, 1), (-1, -5), (1, -1)];

/// `block` blocks the only worker, and returns a function that releases it.
fn assert_bounded_across_priorities(pool: &dyn Backend, block: impl Fn() -> Box<dyn FnOnce()>) {
    for (high, low) in PRIORITIES {
        let count = Count::default();
        let release = block();
        let waits = spawn(pool, low, count.read());
        let load = load(pool, high, &count);
        release();
        let before = waits.result(HANGS).unwrap();
        assert!(before < 2560, "{before} tasks of priority {high} before one of priority {low}");
        assert!(
            before >= 511,
            "{before} tasks of priority {high} before one of priority {low}: the priority has no effect"
        );
        load.into_iter().for_each(|task| task.result(HANGS).unwrap());
    }
}

#[test]
fn a_task_starts_after_a_bounded_number_of_tasks_of_higher_priority() {
    watched(move || {
        let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
        let inside = pool.clone();
        assert_bounded_across_priorities(&*pool, move || {
            let blocker = Blocker::start(&inside);
            Box::new(move || blocker.release())
        });
    });
}

#[test]
fn a_task_of_a_blocked_worker_starts_after_a_bounded_number_of_tasks_of_higher_priority() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(2).unwrap());
        let count = Count::default();
        let blocker = Blocker::start(&pool);
        let (pushed, is_pushed) = channel();
        let (inside, read) = (pool.clone(), count.read());
        let waits = pool.spawn(move || {
            let (sender, receiver) = channel();
            drop(inside.spawn(move || sender.send(read()).unwrap()).unwrap());
            drop(inside);
            pushed.send(()).unwrap();
            receiver.recv().unwrap()
        });
        is_pushed.recv().unwrap();
        drop(load(&*pool, 1, &count));
        blocker.release();
        let before = waits.unwrap().result(HANGS).unwrap();
        assert!(before < 2560 * 2, "{before}");
    });
}

#[cfg(feature = "rayon")]
#[test]
fn over_rayon_a_task_starts_after_a_bounded_number_of_tasks_of_higher_priority() {
    watched(|| {
        let rayon = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let executor = Arc::new(thread_pool::RayonExecutor::new(Arc::new(rayon)));
        let inside = executor.clone();
        assert_bounded_across_priorities(&*executor, move || {
            let (release, released) = channel::<()>();
            let (running, runs) = channel();
            let blocks = inside.spawn(move || {
                running.send(()).unwrap();
                let _ = released.recv();
            });
            runs.recv_timeout(HANGS).unwrap();
            Box::new(move || {
                drop(release);
                blocks.unwrap().result(HANGS).unwrap();
            })
        });
    });
}

/// Spawns itself again until the task under test has run, and counts.
fn again<'scope>(scope: &'scope Scope<'scope, '_>, ran: &'scope AtomicBool, count: &'scope AtomicUsize) {
    if !ran.load(SeqCst) {
        count.fetch_add(1, SeqCst);
        drop(scope.spawn(move || again(scope, ran, count)));
    }
}

#[test]
fn an_old_scoped_task_starts_after_a_bounded_number_of_newer_ones() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let (ran, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        pool.scope(|scope| {
            drop(scope.spawn(|| {
                drop(scope.spawn(|| ran.store(true, SeqCst)));
                again(scope, &ran, &count);
            }));
        });
        assert!((1..=512).contains(&count.load(SeqCst)), "{count:?}");
    });
}

#[test]
fn other_tasks_start_after_a_bounded_number_of_scoped_ones() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
        for outside in [false, true] {
            let (ran, count) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
            let gate = std::sync::Barrier::new(2);
            let submit = || {
                let ran = ran.clone();
                drop(pool.spawn(move || ran.store(true, SeqCst)).unwrap());
            };
            pool.scope(|scope| {
                drop(scope.spawn(|| {
                    gate.wait();
                    gate.wait();
                    if !outside {
                        submit();
                    }
                    again(scope, &ran, &count);
                }));
                gate.wait();
                if outside {
                    submit();
                }
                gate.wait();
            });
            assert!((1..=64).contains(&count.load(SeqCst)), "{outside}: {count:?}");
        }
    });
}

#[test]
fn a_scoped_task_of_a_blocked_worker_is_run_by_another() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        let (ran, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (send, receive) = channel::<()>();
        pool.scope(|scope| {
            let ran = &ran;
            drop(scope.spawn(move || {
                drop(scope.spawn(move || {
                    ran.store(true, SeqCst);
                    drop(send);
                }));
                // It blocks its worker until the other one has run the task.
                assert!(receive.recv().is_err());
            }));
            drop(scope.spawn(|| again(scope, ran, &count)));
        });
        assert!(ran.load(SeqCst));
    });
}
