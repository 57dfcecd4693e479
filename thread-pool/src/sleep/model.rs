//! Loom runs the protocol in every order of its steps. A lost wake-up is a deadlock here.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p concurrent-futures-threads --lib sleep::model
//! ```

use loom::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering::*},
    },
    thread,
};

use super::*;

/// A pool reduced to its sleep protocol. The queue is a number.
struct Pool {
    sleep: Sleep,
    queue: AtomicUsize,
    /// The number of tasks that must have started before one can end.
    together: usize,
    /// Written before the pool is closed. A worker that sees the pool closed must see it.
    reason: AtomicUsize,
    taken: Mutex<usize>,
    took: Condvar,
}

impl Pool {
    fn new(workers: usize, together: usize) -> (Arc<Pool>, Vec<thread::JoinHandle<()>>) {
        let (sleep, sleepers) = Sleep::new(workers);
        let pool = Arc::new(Pool {
            sleep,
            queue: AtomicUsize::new(0),
            together,
            reason: AtomicUsize::new(0),
            taken: Mutex::new(0),
            took: Condvar::new(),
        });
        let threads = sleepers
            .into_iter()
            .map(|sleeper| {
                let pool = pool.clone();
                thread::spawn(move || {
                    while pool.next(&sleeper) {
                        pool.run();
                    }
                    assert_eq!(pool.reason.load(Relaxed), 1, "a worker that sees the close sees the reason");
                })
            })
            .collect();
        (pool, threads)
    }

    fn submit(&self) {
        self.queue.fetch_add(1, Relaxed);
        let _ = self.sleep.after_push();
    }

    fn take(&self) -> bool {
        self.queue.fetch_update(Relaxed, Relaxed, |tasks| tasks.checked_sub(1)).is_ok()
    }

    fn has_work(&self) -> bool {
        self.queue.load(Relaxed) > 0
    }

    /// Takes a task as the loop of a worker does, but searches only once. Returns `false` if the pool is closed.
    fn next(&self, sleeper: &Sleeper) -> bool {
        if self.take() {
            return true;
        }
        let mut searching = self.sleep.try_start_searching();
        loop {
            if searching && self.take() {
                let _ = self.sleep.stop_searching(|| self.has_work());
                return true;
            }
            if self.sleep.is_closed() && !self.has_work() {
                return false;
            }
            self.sleep.fall_asleep(sleeper, searching, || self.has_work());
            searching = true;
        }
    }

    fn run(&self) {
        let mut taken = self.taken.lock().unwrap();
        *taken += 1;
        self.took.notify_all();
        while *taken < self.together {
            taken = self.took.wait(taken).unwrap();
        }
    }

    fn wait_for(&self, tasks: usize) {
        let mut taken = self.taken.lock().unwrap();
        while *taken < tasks {
            taken = self.took.wait(taken).unwrap();
        }
    }

    fn close(&self) {
        self.reason.store(1, Relaxed);
        self.sleep.close();
    }
}

/// Checks a model with this number of preemptions, or with fewer if `LOOM_MAX_PREEMPTIONS` says so.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.map_or(preemptions, |bound| bound.min(preemptions)));
    builder.check(model);
}

#[test]
fn a_task_wakes_the_only_worker_each_time() {
    explore(4, || {
        let (pool, threads) = Pool::new(1, 1);
        for task in 1..=2 {
            pool.submit();
            pool.wait_for(task);
        }
        pool.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn two_submitters_wake_the_only_worker() {
    explore(3, || {
        let (pool, threads) = Pool::new(1, 1);
        let other = thread::spawn({
            let pool = pool.clone();
            move || pool.submit()
        });
        pool.submit();
        pool.wait_for(2);
        other.join().unwrap();
        pool.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn two_tasks_that_wait_for_each_other_get_two_workers() {
    explore(2, || {
        let (pool, threads) = Pool::new(2, 2);
        pool.submit();
        pool.submit();
        pool.wait_for(2);
        pool.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn closing_wakes_every_worker() {
    explore(3, || {
        let (pool, threads) = Pool::new(2, 1);
        pool.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
