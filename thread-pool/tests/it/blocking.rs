//! Wakers and callbacks that block on the pool, in the worker that runs them.

use std::{
    future::{Future as _, IntoFuture},
    pin::Pin,
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel},
    },
    task::{Context, Wake, Waker},
    thread,
};

use executor_core::{Awaited, Backend, Future, Task, TaskOptions, task};
use thread_pool::ThreadPoolExecutor;

use crate::support::{HANGS, watched};

/// A waker that runs a function once.
struct Blocks(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Blocks {
    fn waker(code: impl FnOnce() + Send + 'static) -> Waker {
        Waker::from(Arc::new(Blocks(Mutex::new(Some(Box::new(code))))))
    }
}

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        let code = self.0.lock().unwrap().take();
        code.expect("woken once")();
    }
}

/// How a worker runs user code at the end of a task.
#[derive(Clone, Copy, Debug)]
enum Way {
    Waker,
    Callback,
}

const WAYS: [Way; 2] = [Way::Waker, Way::Callback];

/// Runs code when the task is done. The caller must keep the returned value until then.
fn when_done(way: Way, future: Future<u64>, code: impl FnOnce() + Send + 'static) -> Option<Awaited<u64>> {
    match way {
        Way::Callback => {
            future.add_done_callback(move |_| code());
            None
        }
        Way::Waker => {
            let mut awaited = future.into_future();
            assert!(Pin::new(&mut awaited).poll(&mut Context::from_waker(&Blocks::waker(code))).is_pending());
            Some(awaited)
        }
    }
}

fn spawn<R: Send + 'static>(executor: &dyn Backend, closure: impl FnOnce() -> R + Send + 'static) -> Future<R> {
    let (task, future) = Task::from_closure(TaskOptions::new(), closure);
    executor.schedule(task).unwrap();
    future
}

/// Starts a task that runs until the sender is dropped or used.
fn held(executor: &dyn Backend) -> (Sender<()>, Future<u64>) {
    let (release, released) = channel::<()>();
    let future = spawn(executor, move || {
        let _ = released.recv();
        1
    });
    (release, future)
}

/// Calls a test with executors of these numbers of workers.
fn on_executors(workers: &[usize], test: impl Fn(Arc<dyn Backend>) + Copy + Send + 'static) {
    for workers in workers.iter().copied() {
        watched(move || test(Arc::new(ThreadPoolExecutor::new(workers).unwrap())));
        #[cfg(feature = "rayon")]
        watched(move || {
            let rayon = rayon::ThreadPoolBuilder::new().num_threads(workers).build().unwrap();
            test(Arc::new(thread_pool::RayonExecutor::new(Arc::new(rayon))));
        });
    }
}

#[test]
fn wakers_and_callbacks_may_submit_to_their_pool_and_wait() {
    on_executors(&[1, 2, 4], |executor| {
        for round in 0..200 {
            let way = WAYS[round % 2];
            let (release, future) = held(&*executor);
            let handle = executor.handle().unwrap();
            let (send, results) = channel();
            let kept = when_done(way, future, move || {
                let inner = spawn(&*handle, || task::current().is_some());
                send.send((inner.result(None), handle.join(None))).unwrap();
            });
            drop(release);
            let (inner, joined) = results.recv_timeout(HANGS).expect("the waker or callback is blocked");
            assert!(inner.unwrap() && !joined);
            drop(kept);
            // No wake-up was lost meanwhile.
            assert_eq!(spawn(&*executor, move || round).result(HANGS).unwrap(), round);
        }
    });
}

#[test]
fn wakers_and_callbacks_may_wait_for_queued_and_for_running_tasks() {
    on_executors(&[2, 4], |executor| {
        for way in WAYS {
            let (release, future) = held(&*executor);
            let (release_other, other) = held(&*executor);
            while !other.running() {
                thread::yield_now();
            }
            let (send, results) = channel();
            let (started, starts) = channel();
            let last = spawn(&*executor, || 3);
            let kept = when_done(way, future, move || {
                // With two workers it has not started, and runs inline.
                let first = last.result(None).unwrap();
                started.send(()).unwrap();
                send.send(first + other.result(None).unwrap()).unwrap();
            });
            drop(release);
            starts.recv_timeout(HANGS).unwrap_or_else(|_| panic!("a {way:?} is blocked"));
            // The waker or callback now falls asleep until a task ends that another worker runs.
            drop(release_other);
            assert_eq!(results.recv_timeout(HANGS).expect("the waker or callback was not woken"), 4);
            drop(kept);
        }
    });
}

#[test]
fn other_waiters_of_a_task_are_woken_before_a_waker_or_callback_blocks() {
    on_executors(&[1, 2], |executor| {
        // The thread may begin to wait too late. Then nothing has to wake it.
        for way in WAYS.into_iter().cycle().take(40) {
            let (release, future) = held(&*executor);
            let (woken, is_woken) = channel();
            let (done, is_done) = channel();
            // The waker or callback comes before the thread in the list of waiters.
            let blocks = move || done.send(is_woken.recv_timeout(HANGS)).unwrap();
            let mut kept = None;
            let shared = match way {
                Way::Callback => {
                    future.add_done_callback(move |_| blocks());
                    future.shared()
                }
                Way::Waker => {
                    let shared = future.shared();
                    let awaited = kept.insert((&shared).into_future());
                    let waker = Blocks::waker(blocks);
                    assert!(Pin::new(awaited).poll(&mut Context::from_waker(&waker)).is_pending());
                    shared
                }
            };
            let (waiting, waits) = channel();
            let waiter = thread::spawn(move || {
                waiting.send(()).unwrap();
                woken.send(shared.result(None).unwrap()).unwrap();
            });
            waits.recv().unwrap();
            (0..1000).for_each(|_| thread::yield_now());
            drop(release);
            assert_eq!(is_done.recv_timeout(HANGS).unwrap().expect("the thread was not woken"), 1);
            waiter.join().unwrap();
            drop(kept);
        }
    });
}

/// The canceller runs the waker or callback, so no worker is blocked.
#[test]
fn a_waker_or_callback_of_a_cancelled_task_blocks_only_its_canceller() {
    on_executors(&[1], |executor| {
        for way in WAYS {
            let (release, blocker) = held(&*executor);
            let queued = spawn(&*executor, || 7);
            let later = spawn(&*executor, || 2);
            let (step, steps) = channel();
            let blocks = move || {
                step.send(0).unwrap();
                step.send(later.result(None).unwrap()).unwrap();
            };
            let kept = match way {
                Way::Callback => {
                    queued.add_done_callback(move |_| blocks());
                    None
                }
                Way::Waker => {
                    let mut awaited = (&queued).into_future();
                    let waker = Blocks::waker(blocks);
                    assert!(Pin::new(&mut awaited).poll(&mut Context::from_waker(&waker)).is_pending());
                    Some(awaited)
                }
            };
            let canceller = thread::spawn(move || queued.cancel());
            assert_eq!(steps.recv_timeout(HANGS).unwrap(), 0);
            drop(release);
            assert_eq!(steps.recv_timeout(HANGS).unwrap(), 2);
            assert!(canceller.join().unwrap());
            assert_eq!(blocker.result(HANGS).unwrap(), 1);
            drop(kept);
        }
    });
}
