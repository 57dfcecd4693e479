//! What several of the tests need.

use std::{
    panic::resume_unwind,
    thread,
    time::{Duration, Instant},
};

use executor_core::{Error, Future};
use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};
pub use test_support::{
    Blocker, DEADLINE, Random, SharedDir, add_line, children, is_alive, is_stopped, kill, open_descriptors, terminal,
    threads, touch, wait_for_file, wait_until,
};

/// Runs a test over each transport.
pub fn on_both(test: fn(Transport)) {
    for transport in [Transport::Ring, Transport::Socket] {
        on(transport, test);
    }
}

/// Runs a test over one transport, and names the transport if the test fails or hangs.
pub fn on(transport: Transport, test: fn(Transport)) {
    let name = format!("{} with {transport:?}", thread::current().name().unwrap_or("a test"));
    let test = move || std::panic::catch_unwind(|| test(transport));
    if let Err(panic) = test_support::watched_within(&name, DEADLINE * 3 / 2, test) {
        eprintln!("the test failed with {transport:?}");
        resume_unwind(panic);
    }
}

pub fn builder(transport: Transport, workers: usize) -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().transport(transport).max_workers(workers)
}

pub fn pool(transport: Transport, workers: usize) -> ProcessPoolExecutor {
    builder(transport, workers).build().expect("the pool can be built")
}

/// Returns the outcome of a task, and fails with `Timeout` if there is none in time.
pub fn get<T: Send + 'static>(future: &Future<T>) -> Result<T, Error> {
    future.result(DEADLINE)
}

/// Waits until all workers have run a task.
pub fn warm_up(pool: &ProcessPoolExecutor, workers: usize) {
    let blockers: Vec<Blocker> = (0..workers).map(|_| Blocker::start(pool)).collect();
    blockers.into_iter().for_each(Blocker::release);
}

/// Waits until the pool no longer counts the running tasks as short. The pool lets tasks wait only behind short ones.
pub fn wait_until_tasks_are_long() {
    let start = Instant::now();
    wait_until("some milliseconds", || start.elapsed() > Duration::from_millis(5));
}

/// In a task: creates a file, and never ends.
pub fn never_ends(path: String) {
    touch(&path);
    loop {
        thread::park_timeout(Duration::from_secs(1));
    }
}
