//! Values that each worker has for itself, on every back-end.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use concurrent_futures::{
    Backend, Error, Executor, Future, InlineExecutor, ProcessPoolBuilder, ProcessPoolExecutor, RayonExecutor, Shutdown,
    ThreadPoolExecutor, Transport, WorkerLocal,
};
use test_support::{Blocker, SharedDir, add_line, wait_until};

/// A value that is neither `Send` nor `Sync`, and writes a line when it is dropped.
struct Connection {
    uses: Rc<RefCell<u32>>,
    path: Option<String>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            add_line(path, *self.uses.borrow());
        }
    }
}

static CONNECTION: WorkerLocal<Connection> =
    WorkerLocal::new(|| Connection { uses: Rc::new(RefCell::new(0)), path: None });

/// Uses the connection of this worker, and returns how often that was done before.
fn uses(path: Option<String>) -> u32 {
    CONNECTION.with_mut(|connection| {
        if path.is_some() {
            connection.path = path;
        }
        connection.uses.replace_with(|uses| *uses + 1)
    })
}

fn connect(path: String) {
    CONNECTION.set(Connection { uses: Rc::new(RefCell::new(100)), path: Some(path) });
}

fn processes(transport: Transport) -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().transport(transport)
}

fn in_turn(executor: &dyn Backend, times: usize, path: Option<String>) -> Vec<u32> {
    (0..times).map(|_| executor.submit(uses, path.clone()).expect("accepted").result(None).expect("a value")).collect()
}

#[test]
fn a_worker_finds_its_value_as_the_last_task_has_left_it() {
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let executors: [Box<dyn Backend>; 5] = [
        Box::new(ThreadPoolExecutor::new(1).expect("a pool")),
        Box::new(processes(Transport::Ring).max_workers(1).build().expect("a pool")),
        Box::new(processes(Transport::Socket).max_workers(1).build().expect("a pool")),
        Box::new(RayonExecutor::new(Arc::new(rayon))),
        Box::new(InlineExecutor::new()),
    ];
    for executor in &executors {
        assert_eq!(in_turn(executor, 4, None), [0, 1, 2, 3]);
        let batch = executor.map(uses, vec![None; 3]).expect("accepted");
        assert_eq!(batch.collect::<Result<Vec<u32>, Error>>().expect("values"), [4, 5, 6]);
    }
}

#[test]
fn each_worker_has_the_value_of_its_initializer_and_drops_it_at_its_end() {
    const WORKERS: usize = 3;
    let dir = SharedDir::new();
    let path = |name: &str| dir.path(name);
    let build_threads = |path| ThreadPoolExecutor::builder().max_workers(WORKERS).initializer(connect, path).build();
    let build = |transport, path| processes(transport).max_workers(WORKERS).initializer(connect, path).build();
    let executors: [(&str, Box<dyn Backend>); 3] = [
        ("threads", Box::new(build_threads(path("threads")).expect("a pool"))),
        ("ring", Box::new(build(Transport::Ring, path("ring")).expect("a pool"))),
        ("socket", Box::new(build(Transport::Socket, path("socket")).expect("a pool"))),
    ];
    for (name, executor) in executors {
        // On a busy machine, a worker that starts late would have no task, and end without having been initialised.
        let blockers = [(); WORKERS].map(|()| Blocker::start(&*executor));
        blockers.into_iter().for_each(Blocker::release);
        let futures: Vec<Future<u32>> = (0..50).map(|_| executor.submit(uses, None).expect("accepted")).collect();
        assert!(futures.iter().all(|future| future.result(None).expect("a value") >= 100), "{name}");
        executor.shutdown(Shutdown::Drain);
        let counts: Vec<u32> = dir.numbers(name).into_iter().map(|count| count - 100).collect();
        assert_eq!((counts.len(), counts.iter().sum::<u32>()), (WORKERS, 50), "{name}");
    }
}

#[test]
fn a_worker_that_leaves_after_its_last_task_drops_its_value_and_the_next_makes_its_own() {
    for transport in [Transport::Ring, Transport::Socket] {
        let dir = SharedDir::new();
        let pool = processes(transport).max_workers(1).max_tasks_per_worker(2).build().expect("a pool");
        assert_eq!(in_turn(&pool, 6, Some(dir.path("ends"))), [0, 1, 0, 1, 0, 1]);
        wait_until("the ends of the first two", || dir.numbers("ends").len() >= 2);
        drop(pool);
        assert_eq!(dir.numbers("ends"), [2, 2, 2]);
    }
}
