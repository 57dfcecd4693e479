//! Loom runs the protocol in every order of its steps. A lost wake-up is a deadlock here.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p concurrent-futures-threads --lib sleep::model
//! ```

use std::{sync::Arc, time::Duration};

use loom::{
    sync::{
        Condvar, Mutex,
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
    /// What workers need that may still be started, and the threads of those that were.
    free: Mutex<Vec<Sleeper>>,
    started: Mutex<Vec<thread::JoinHandle<()>>>,
}

/// What a worker does next.
enum Next {
    Run,
    /// The pool is closed.
    End,
    /// The pool no longer counts the worker.
    Leave,
}

impl Pool {
    fn new(workers: usize, together: usize) -> (Arc<Pool>, Vec<thread::JoinHandle<()>>) {
        Pool::with(Width::fixed(workers), together)
    }

    fn with(width: Width, together: usize) -> (Arc<Pool>, Vec<thread::JoinHandle<()>>) {
        let (sleep, mut sleepers) = Sleep::new(width);
        let free = sleepers.split_off(width.least());
        let pool = Arc::new(Pool {
            sleep,
            queue: AtomicUsize::new(0),
            together,
            reason: AtomicUsize::new(0),
            taken: Mutex::new(0),
            took: Condvar::new(),
            free: Mutex::new(free),
            started: Mutex::new(Vec::new()),
        });
        let threads = sleepers.into_iter().map(|sleeper| pool.start(sleeper, false)).collect();
        (pool, threads)
    }

    fn start(self: &Arc<Pool>, sleeper: Sleeper, is_late: bool) -> thread::JoinHandle<()> {
        let pool = self.clone();
        thread::spawn(move || {
            if is_late {
                pool.search_first();
            }
            loop {
                match pool.next(&sleeper) {
                    Next::Run => pool.run(),
                    Next::End => break,
                    Next::Leave => return pool.free.lock().unwrap().push(sleeper),
                }
            }
            assert_eq!(pool.reason.load(Relaxed), 1, "a worker that sees the close sees the reason");
        })
    }

    /// Starts a worker that is counted already. One that leaves may still have what it needs.
    fn start_one_more(self: &Arc<Pool>) {
        let mut free = self.free.lock().unwrap();
        let sleeper = free.pop().unwrap_or_else(|| self.sleep.grow(3).pop().expect("the first one of them"));
        drop(free);
        let thread = self.start(sleeper, true);
        self.started.lock().unwrap().push(thread);
    }

    fn submit(self: &Arc<Pool>) {
        self.queue.fetch_add(1, Relaxed);
        if self.sleep.after_push() == AfterPush::MustStart {
            self.start_one_more();
        }
    }

    fn take(&self) -> bool {
        self.queue.fetch_update(Relaxed, Relaxed, |tasks| tasks.checked_sub(1)).is_ok()
    }

    fn has_work(&self) -> bool {
        self.queue.load(Relaxed) > 0
    }

    fn search_first(self: &Arc<Pool>) {
        self.sleep.start_searching();
        let found = self.take();
        if self.sleep.stop_searching(|| self.has_work()) == AfterSearch::MustStart {
            self.start_one_more();
        }
        if found {
            self.run();
        }
    }

    /// Takes a task as the loop of a worker does, but searches only once.
    fn next(self: &Arc<Pool>, sleeper: &Sleeper) -> Next {
        if self.take() {
            return Next::Run;
        }
        let mut searching = self.sleep.try_start_searching();
        loop {
            if searching && self.take() {
                if self.sleep.stop_searching(|| self.has_work()) == AfterSearch::MustStart {
                    self.start_one_more();
                }
                return Next::Run;
            }
            if self.sleep.is_closed() && !self.has_work() {
                return Next::End;
            }
            match self.sleep.fall_asleep(sleeper, searching, || self.has_work()) {
                AfterSleep::Awake => searching = true,
                AfterSleep::Leaves => return Next::Leave,
            }
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
fn two_tasks_that_wait_for_each_other_get_a_second_worker_even_if_one_has_left() {
    explore(2, || {
        let (pool, threads) = Pool::with(Width { most: 2, kept: Some((1, Duration::ZERO)) }, 2);
        pool.submit();
        pool.submit();
        pool.wait_for(2);
        pool.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let started = std::mem::take(&mut *pool.started.lock().unwrap());
        started.into_iter().for_each(|thread| thread.join().unwrap());
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
