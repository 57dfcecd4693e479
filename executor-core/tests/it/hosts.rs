//! Tasks that were placed in a worker's queue. Only the host can find out whether they have started.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use executor_core::{
    Error, ErrorKind, Task, TaskId, TaskOptions,
    host::{self, Host, Registration},
};
use parking_lot::Mutex;

use crate::support::{NO_WAIT, action, concurrently};

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
fn two_concurrent_cancels_of_a_placed_task_both_return_true() {
    for _ in 0..300 {
        let (task, future) = Task::from_closure(TaskOptions::new(), || ());
        let _worker = one_worker(task);
        assert_eq!(concurrently(vec![action(|| future.cancel()), action(|| future.cancel())]), [true, true]);
        assert!(future.cancelled());
    }
}

#[test]
fn the_host_decides_whether_a_placed_task_is_running() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || ());
    let worker = one_worker(task);
    let state = || (future.running(), format!("{future:?}").contains("state: running"));
    assert_eq!(state(), (false, false));
    worker.started.store(true, SeqCst);
    assert_eq!(state(), (true, true));
    assert!(future.result(NO_WAIT).expect_err("it runs").to_string().contains("is still running"));
    // Until it is done, the task is reported as running.
    let task = worker.placed.lock().take().expect("placed");
    let future = &future;
    let watch = action(move || while future.running() {});
    concurrently(vec![watch, action(move || drop(task.fail(Error::new(ErrorKind::WorkerDied, "died"))))]);
    assert!(future.done() && !future.running());
}

/// A host that moves its task back to the queue whenever it is called.
#[derive(Default)]
struct RecallsTask {
    registration: OnceLock<Registration>,
    task: Mutex<Option<Task>>,
}

impl RecallsTask {
    fn recall(&self) -> bool {
        if let Some(task) = &*self.task.lock() {
            task.recall();
        }
        false
    }
}

impl Host for RecallsTask {
    fn withdraw(&self, _: TaskId, _: u64) -> bool {
        self.recall()
    }
    fn terminate(&self, _: TaskId, _: u64, _: std::time::Duration) -> bool {
        self.recall()
    }
}

#[test]
fn a_cancel_succeeds_even_if_the_host_recalls_the_task_meanwhile() {
    for begun in [false, true] {
        let (task, future) = Task::from_closure(TaskOptions::new(), || ());
        let host = Arc::new(RecallsTask::default());
        let dynamic: Arc<dyn Host> = host.clone();
        let registration = host::register(Arc::downgrade(&dynamic));
        task.attach(registration.id());
        assert!(host.registration.set(registration).is_ok());
        assert!(task.place(1));
        if begun {
            assert!(task.begin());
        }
        host.task.lock().replace(task);
        // A task that has begun is terminated, because it cannot be cancelled. The recall queues it again, as after the
        // death of its worker.
        assert!(if begun { future.terminate(NO_WAIT) } else { future.cancel() });
        assert!(future.cancelled());
    }
}

#[test]
fn a_dropped_host_cancels_nothing() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || ());
    let worker = one_worker(task);
    let task = worker.placed.lock().take().expect("placed");
    drop(worker);
    assert!(!future.cancel() && !future.running() && !future.terminate(NO_WAIT));
    drop(task);
    assert!(future.done());
}
