//! Tasks in a worker's own queue, where only the host knows what becomes of them.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use executor_core::{
    Error, ErrorKind, Task, TaskId, TaskOptions,
    host::{self, Host, Registration},
};
use parking_lot::Mutex;

use crate::support::{LOOK, action, at_once};

/// A host with one task in its worker's queue.
struct OneWorker {
    registration: OnceLock<Registration>,
    placed: Mutex<Option<Task>>,
    started: AtomicBool,
}

impl Host for OneWorker {
    fn withdraw(&self, _: TaskId, _: u64) -> bool {
        let mut placed = self.placed.lock();
        let Some(task) = placed.take() else { return false };
        let completed = task.cancel();
        drop(placed);
        drop(completed);
        true
    }
    fn started(&self, _: TaskId, _: u64) -> bool {
        self.started.load(SeqCst)
    }
}

fn one_worker(task: Task) -> Arc<OneWorker> {
    let worker = Arc::new(OneWorker { registration: OnceLock::new(), placed: Mutex::new(None), started: false.into() });
    let host: Arc<dyn Host> = worker.clone();
    let registration = host::register(Arc::downgrade(&host));
    task.attach(registration.id());
    assert!(task.place(1));
    worker.placed.lock().replace(task);
    assert!(worker.registration.set(registration).is_ok());
    worker
}

#[test]
fn of_two_cancels_of_a_task_in_a_workers_queue_both_tell_that_it_was_cancelled() {
    for _ in 0..300 {
        let (task, future) = Task::from_closure(TaskOptions::new(), || ());
        let _worker = one_worker(task);
        assert_eq!(at_once(vec![action(|| future.cancel()), action(|| future.cancel())]), [true, true]);
        assert!(future.cancelled());
    }
}

#[test]
fn a_task_in_a_workers_queue_runs_when_its_host_says_so_also_in_debug_and_messages() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || ());
    let worker = one_worker(task);
    let state = || (future.running(), format!("{future:?}").contains("state: running"));
    assert_eq!(state(), (false, false));
    worker.started.store(true, SeqCst);
    assert_eq!(state(), (true, true));
    assert!(future.result(LOOK).expect_err("it runs").to_string().contains("is still running"));
    // The last that is seen of it, before it is done, is that it runs.
    let task = worker.placed.lock().take().expect("placed");
    let future = &future;
    let watch = action(move || while future.running() {});
    at_once(vec![watch, action(move || drop(task.fail(Error::new(ErrorKind::WorkerDied, "died"))))]);
    assert!(future.done() && !future.running());
}

/// A host that, when it is asked, has just taken its task back into the queue.
#[derive(Default)]
struct TakesBack {
    registration: OnceLock<Registration>,
    task: Mutex<Option<Task>>,
}

impl TakesBack {
    fn take_back(&self) -> bool {
        if let Some(task) = &*self.task.lock() {
            task.recall();
        }
        false
    }
}

impl Host for TakesBack {
    fn withdraw(&self, _: TaskId, _: u64) -> bool {
        self.take_back()
    }
    fn terminate(&self, _: TaskId, _: u64, _: std::time::Duration) -> bool {
        self.take_back()
    }
}

#[test]
fn a_task_that_comes_back_to_the_queue_while_its_host_is_asked_is_cancelled_all_the_same() {
    for begun in [false, true] {
        let (task, future) = Task::from_closure(TaskOptions::new(), || ());
        let host = Arc::new(TakesBack::default());
        let dynamic: Arc<dyn Host> = host.clone();
        let registration = host::register(Arc::downgrade(&dynamic));
        task.attach(registration.id());
        assert!(host.registration.set(registration).is_ok());
        assert!(task.place(1));
        if begun {
            assert!(task.begin());
        }
        host.task.lock().replace(task);
        // What runs cannot be cancelled, but terminated: its worker has died, and it waits for another attempt.
        assert!(if begun { future.terminate(LOOK) } else { future.cancel() });
        assert!(future.cancelled());
    }
}

#[test]
fn a_host_that_is_gone_answers_no() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || ());
    let worker = one_worker(task);
    let task = worker.placed.lock().take().expect("placed");
    drop(worker);
    assert!(!future.cancel() && !future.running() && !future.terminate(LOOK));
    drop(task);
    assert!(future.done());
}
