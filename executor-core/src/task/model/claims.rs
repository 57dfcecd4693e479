//! Several threads that claim, cancel or end one task.

use std::sync::{Arc, Weak};

use loom::{
    sync::{Arc as Shared, Mutex},
    thread,
};

use super::{
    actors::{job, reply},
    effect::Effect,
    explore,
    journal::{Journal, Value},
};
use crate::{
    Error, ErrorKind, Future, Task, TaskId, TaskOptions,
    host::{self, Host},
    promise,
    task::queued::run_inline,
};

fn join(thread: thread::JoinHandle<()>) {
    thread.join().expect("a model does not panic");
}

/// Starts another task of the same pool, which waits for this one.
fn wait_inside_a_task(future: Future<impl Send + 'static>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        run_inline(future.task());
    })
}

#[test]
fn a_worker_a_canceller_or_a_waiting_task_claims_it() {
    explore(4, |journal| {
        let (task, future) = job(journal);
        let inline = wait_inside_a_task(future.alias());
        let canceller = {
            let journal = journal.clone();
            thread::spawn(move || journal.record_cancel(future.cancel()))
        };
        task.run();
        join(inline);
        join(canceller);
        assert_eq!(journal.ran.get() + journal.cancelled.get(), 1, "it ran or was cancelled");
    });
}

/// Ends a task in one of the ways of a pool that closes. Returns whether it did.
type EndTask = fn(Task) -> bool;

fn a_pool_closes_while_a_task_runs_inline(end: EndTask, kind: ErrorKind) {
    explore(6, move |journal| {
        let (task, future) = job(journal);
        let inline = wait_inside_a_task(future.alias());
        let ended = end(task);
        let result = future.result(None);
        assert_eq!(result.err().map(|error| error.kind()), ended.then_some(kind), "it is ended by one of them");
        join(inline);
        assert_eq!(journal.ran.get(), usize::from(!ended));
    });
}

#[test]
fn a_task_that_runs_inline_is_not_cancelled_by_its_pool() {
    // The returned `Completed` does not say whether the cancel succeeded, so the state is read.
    fn cancel(task: Task) -> bool {
        let seen = task.task.clone();
        drop(task.cancel());
        seen.state.snapshot().is_cancelled()
    }
    a_pool_closes_while_a_task_runs_inline(cancel, ErrorKind::Cancelled);
}

#[test]
fn a_task_that_runs_inline_is_not_withdrawn_by_its_pool() {
    a_pool_closes_while_a_task_runs_inline(|task| task.withdraw().is_some(), ErrorKind::Cancelled);
}

#[test]
fn a_task_that_runs_inline_is_not_failed_by_its_pool() {
    a_pool_closes_while_a_task_runs_inline(
        |task| task.refuse(Error::new(ErrorKind::Other, "closed")).is_some(),
        ErrorKind::Other,
    );
}

#[test]
fn a_claim_after_a_recall_sees_what_the_owner_did_before() {
    explore(6, |journal| {
        let meanwhile = Arc::new(Effect::default());
        let (task, future) = Task::from_closure(TaskOptions::new(), {
            let (meanwhile, journal) = (meanwhile.clone(), journal.clone());
            move || {
                journal.run();
                meanwhile.times()
            }
        });
        let inline = wait_inside_a_task(future.alias());
        // A claim finds the task queued in either case: before it was placed, or after it was recalled.
        let placed = task.place(1);
        if placed {
            meanwhile.happen();
            assert!(task.recall());
        }
        task.run();
        assert_eq!(future.result(None).ok(), Some(usize::from(placed)));
        join(inline);
        assert_eq!(journal.ran.get(), 1);
    });
}

/// The place of the task. It differs from the initial place.
const PLACE: u64 = 7;

/// A pool of processes with one task.
struct Pool(Mutex<Option<Task>>);

impl Host for Pool {
    fn withdraw(&self, _: TaskId, place: u64) -> bool {
        assert_eq!(place, PLACE, "a thread that sees PLACED sees the place");
        let mut task = self.0.lock().expect("a model does not panic under a lock");
        let Some(task) = task.take().map(Task::cancel) else { return false };
        drop(task);
        true
    }
}

#[test]
fn a_placed_task_is_either_withdrawn_by_its_host_or_run() {
    explore(4, |journal| {
        let (task, future) = job(journal);
        let pool = Arc::new(Pool(Mutex::new(None)));
        let weak: Weak<Pool> = Arc::downgrade(&pool);
        let registration = host::register(weak);
        task.attach(registration.id());
        task.encode(&mut Vec::new()).expect("the task is not shared yet");
        let canceller = {
            let (future, journal) = (future.alias(), journal.clone());
            thread::spawn(move || journal.record_cancel(future.cancel()))
        };
        {
            let mut slot = pool.0.lock().expect("a model does not panic under a lock");
            if task.place(PLACE) {
                *slot = Some(task);
            }
        }
        let replied = pool.0.lock().expect("a model does not panic under a lock").take();
        if let Some(task) = replied {
            journal.run();
            drop(task.complete(reply()));
        }
        join(canceller);
        journal.record_result(future.result(None));
        assert_eq!(journal.ran.get() + journal.cancelled.get(), 1, "it ran or was cancelled");
    });
}

#[test]
fn a_task_is_either_begun_by_its_owner_or_cancelled() {
    explore(6, |journal| {
        let (task, future) = job(journal);
        let canceller = {
            let (future, journal) = (future.alias(), journal.clone());
            thread::spawn(move || journal.record_cancel(future.cancel()))
        };
        if task.begin() {
            journal.run();
            drop(task.complete(reply()));
        }
        join(canceller);
        journal.record_result(future.result(None));
        assert_eq!(journal.ran.get() + journal.cancelled.get(), 1, "it ran or was cancelled");
    });
}

#[test]
fn a_promise_is_completed_by_one_of_two_values_or_a_cancel() {
    explore(3, |journal| {
        let (promise, future): (_, Future<Value>) = promise();
        let promise = Shared::new(promise);
        let set = |journal: &Arc<Journal>| {
            let (promise, journal) = (promise.clone(), journal.clone());
            move || promise.set_result(Value::new(&journal)).is_ok()
        };
        let one = thread::spawn(set(journal));
        let other = thread::spawn(set(journal));
        drop(promise);
        let cancelled = future.cancel();
        let completed = [one, other].map(|thread| usize::from(thread.join().expect("a model does not panic")));
        assert_eq!(completed.iter().sum::<usize>() + usize::from(cancelled), 1, "one of them completes it");
        assert_eq!(future.result(None).is_ok(), !cancelled);
    });
}
