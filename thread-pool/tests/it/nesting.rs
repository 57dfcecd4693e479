//! Waits that are nested deeper than a stack allows.

use std::{
    cell::Cell,
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::channel,
    },
    thread,
};

use executor_core::{
    Backend, Error, ErrorKind, Executor, Future, InlineExecutor, ReturnWhen, Shutdown, Task, as_completed, task, wait,
};
use thread_pool::ThreadPoolExecutor;

use crate::support::{HANGS, watched};

const DEEP: u32 = 20_000;

type Handle = Arc<dyn Backend>;

fn submit<R: Send + 'static>(handle: &Handle, closure: impl FnOnce() -> R + Send + 'static) -> Future<R> {
    let (task, future) = Task::from_closure(Default::default(), closure);
    handle.schedule(task).expect("open");
    future
}

/// Each level submits the next and waits for it by `way`.
fn nest(handle: Handle, left: u32, way: fn(Future<u32>) -> u32) -> u32 {
    if left == 0 {
        return 0;
    }
    let next = handle.clone();
    1 + way(submit(&handle, move || nest(next, left - 1, way)))
}

fn by_result(future: Future<u32>) -> u32 {
    future.result(None).unwrap()
}

fn by_wait(future: Future<u32>) -> u32 {
    by_result(wait([future], None, ReturnWhen::AllCompleted).done.pop().unwrap())
}

fn by_as_completed(future: Future<u32>) -> u32 {
    by_result(as_completed([future], None).next().unwrap().unwrap())
}

fn by_shared(future: Future<u32>) -> u32 {
    future.shared().result(None).unwrap()
}

fn by_await(future: Future<u32>) -> u32 {
    use std::{
        future::IntoFuture,
        pin::pin,
        task::{Context, Poll, Waker},
    };
    match pin!(future.into_future()).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value.unwrap(),
        Poll::Pending => panic!("a worker runs what it awaits"),
    }
}

fn by_exception(future: Future<u32>) -> u32 {
    assert!(future.exception(None).unwrap().is_none());
    by_result(future)
}

fn nests(pool: &ThreadPoolExecutor, levels: u32, way: fn(Future<u32>) -> u32) {
    let handle = pool.handle().unwrap();
    assert_eq!(pool.spawn(move || nest(handle, levels, way)).unwrap().result(HANGS).unwrap(), levels);
}

#[test]
fn waits_of_every_kind_may_be_nested_deeper_than_the_stack() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        for way in [by_result, by_wait, by_as_completed, by_shared, by_await, by_exception] {
            nests(&pool, DEEP, way);
        }
        assert_eq!(pool.submit(|n: u64| n, 7).unwrap().result(HANGS).unwrap(), 7);
    });
}

#[test]
fn the_stacks_of_the_workers_may_have_any_size() {
    watched(|| {
        for stack in [64 << 10, 256 << 10, 16 << 20] {
            let pool = ThreadPoolExecutor::builder().max_workers(2).stack_size(stack).build().unwrap();
            nests(&pool, 5_000, by_result);
        }
    });
}

#[test]
fn maps_may_be_nested_deeper_than_the_stack() {
    fn nest(handle: &Handle, left: u32) -> u32 {
        thread_local!(static HANDLE: Cell<Option<Handle>> = const { Cell::new(None) });
        static NEXT: Mutex<Option<Handle>> = Mutex::new(None);
        *NEXT.lock().unwrap() = Some(handle.clone());
        if left == 0 {
            return 0;
        }
        let below = |left: u32| {
            let handle = NEXT.lock().unwrap().clone().unwrap();
            nest(&handle, left)
        };
        1 + handle.map(below, [left - 1]).unwrap().next().unwrap().unwrap()
    }
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let handle = pool.handle().unwrap();
        assert_eq!(pool.spawn(move || nest(&handle, 5_000)).unwrap().result(HANGS).unwrap(), 5_000);
    });
}

#[test]
fn scopes_may_be_nested_deeper_than_the_stack() {
    fn nest(pool: &ThreadPoolExecutor, left: u32) -> u32 {
        if left == 0 {
            return 0;
        }
        let mut below = 0;
        pool.scope(|scope| {
            // Nothing waits for its result, so the end of the scope runs it.
            drop(scope.spawn(|| below = nest(pool, left - 1)));
        });
        below + 1
    }
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let sum = pool.scope(|scope| scope.spawn(|| nest(&pool, 5_000)).result(None));
        assert_eq!(sum.unwrap(), 5_000);
    });
}

/// Checks what a task sees of its worker, on each level.
fn check_worker(pool: &Arc<ThreadPoolExecutor>, stop: &Arc<AtomicBool>, left: u32, all: &Arc<Mutex<HashSet<String>>>) {
    let context = task::current().unwrap();
    assert!(context.worker().starts_with("deep_0"), "{}", context.worker());
    assert_eq!(thread::current().name(), Some("deep_0"));
    assert!(!pool.join(None), "a worker does not wait for itself");
    all.lock().unwrap().insert(format!("{:?}", thread::current().id()));
    if left == 0 {
        // The request to stop reaches the task on any thread.
        stop.store(true, SeqCst);
        while !task::current().unwrap().is_cancelled() {
            thread::yield_now();
        }
        return;
    }
    let (below, flag, set) = (pool.clone(), stop.clone(), all.clone());
    let future = pool.spawn(move || check_worker(&below, &flag, left - 1, &set)).unwrap();
    let id = future.id();
    future.result(None).unwrap();
    assert_ne!(task::current().unwrap().id(), id);
    assert_eq!(task::current().unwrap().id(), context.id());
}

#[test]
fn a_task_on_a_fresh_stack_is_a_task_of_its_worker() {
    watched(|| {
        let pool = Arc::new(ThreadPoolExecutor::builder().max_workers(1).name_prefix("deep").build().unwrap());
        let (stop, all) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (inner, flag, set) = (pool.clone(), stop.clone(), Arc::clone(&all));
        let outer = pool.spawn(move || check_worker(&inner, &flag, DEEP, &set)).unwrap();
        while !stop.load(SeqCst) {
            thread::yield_now();
        }
        pool.close(Shutdown::Terminate { grace: HANGS });
        outer.result(HANGS).unwrap();
        assert!(all.lock().unwrap().len() > 1, "it had fresh stacks");
        assert!(pool.join(None));
    });
}

#[test]
fn a_fresh_stack_runs_the_initializer() {
    thread_local!(static SEED: Cell<u32> = const { Cell::new(0) });
    fn nest(handle: Handle, left: u32) -> u32 {
        assert_eq!(SEED.get(), 7);
        if left == 0 {
            return 0;
        }
        let below = handle.clone();
        1 + submit(&handle, move || nest(below, left - 1)).result(None).unwrap()
    }
    watched(|| {
        let pool =
            ThreadPoolExecutor::builder().max_workers(2).initializer(|seed| SEED.set(seed), 7u32).build().unwrap();
        let handle = pool.handle().unwrap();
        assert_eq!(pool.spawn(move || nest(handle, DEEP)).unwrap().result(HANGS).unwrap(), DEEP);
    });
}

#[test]
fn an_initializer_that_fails_on_a_fresh_stack_does_not_break_the_pool() {
    static FIRST: AtomicBool = AtomicBool::new(true);
    fn once((): ()) {
        assert!(FIRST.swap(false, SeqCst), "only the first thread is initialized");
    }
    fn nest(handle: Handle, left: u32) -> Result<u32, Error> {
        if left == 0 {
            return Ok(0);
        }
        let below = handle.clone();
        let future = submit(&handle, move || nest(below, left - 1));
        // A task that was not run still waits in the queue. It is cancelled here.
        let result = future.result(None);
        future.cancel();
        Ok(1 + result??)
    }
    watched(|| {
        let pool = ThreadPoolExecutor::builder().max_workers(1).initializer(once, ()).build().unwrap();
        let handle = pool.handle().unwrap();
        let error = pool.spawn(move || nest(handle, DEEP)).unwrap().result(HANGS).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
        assert!(error.to_string().contains("only the first thread is initialized"), "{error}");
        assert_eq!(pool.submit(|n: u64| n, 7).unwrap().result(HANGS).unwrap(), 7);
    });
}

#[test]
fn a_panic_at_the_bottom_is_the_error_of_its_task() {
    fn nest(handle: Handle, left: u32) -> Result<u32, Error> {
        let below = handle.clone();
        match left {
            0 => panic!("at the bottom"),
            left => submit(&handle, move || nest(below, left - 1)).result(None)?,
        }
    }
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let handle = pool.handle().unwrap();
        let error = pool.spawn(move || nest(handle, DEEP)).unwrap().result(HANGS).unwrap().unwrap_err();
        let panic = error.panic().unwrap();
        assert_eq!(panic.message(), "at the bottom");
        assert!(panic.location().unwrap().contains("nesting.rs"));
    });
}

#[test]
fn a_task_on_a_fresh_stack_wakes_its_other_waiters() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let handle = pool.handle().unwrap();
        let (send, receive) = channel();
        let outer = pool
            .spawn(move || {
                let below = handle.clone();
                let future = submit(&handle, move || nest(below, DEEP, by_result)).shared();
                send.send(future.clone()).unwrap();
                future.result(None)
            })
            .unwrap();
        assert_eq!(receive.recv().unwrap().result(HANGS).unwrap(), DEEP);
        assert_eq!(outer.result(HANGS).unwrap().unwrap(), DEEP);
    });
}

#[test]
fn the_inline_executor_refuses_tasks_that_are_nested_too_deep() {
    static DEPTH: Mutex<u32> = Mutex::new(0);
    fn nest((): ()) -> u32 {
        *DEPTH.lock().unwrap() += 1;
        match InlineExecutor::new().submit(nest, ()) {
            Ok(future) => future.result(None).unwrap(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
                *DEPTH.lock().unwrap()
            }
        }
    }
    for stack in [128 << 10, 2 << 20, 32 << 20] {
        *DEPTH.lock().unwrap() = 0;
        let run = || InlineExecutor::new().submit(nest, ()).unwrap().result(None).unwrap();
        let depth = thread::Builder::new().stack_size(stack).spawn(run).unwrap().join().unwrap();
        assert!(depth > 4, "{depth}");
    }
}
