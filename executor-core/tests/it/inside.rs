//! Waiting inside a task: if the awaited task has not started, it is run inline; no other task is.

use std::sync::Arc;

use executor_core::{
    Backend, Error, ErrorKind, Executor, Future, InlineExecutor, MapOptions, ReturnWhen, Task, as_completed, task, wait,
};
use parking_lot::Mutex;

use crate::support::{Manual, NO_WAIT};

fn submit(manual: &Manual, n: u64) -> Future<u64> {
    manual.submit(|n: u64| n * 10, n).expect("accepted")
}

#[test]
fn result_runs_the_awaited_task_inline_and_no_other() {
    let manual = Manual::new();
    let (bystander, awaited) = (submit(&manual, 1), submit(&manual, 2));
    assert_eq!(manual.as_worker(|| awaited.result(None)).expect("run inline"), 20);
    assert!(!bystander.done() && !bystander.running());
    assert_eq!(manual.left_queue(), 1, "the back-end was notified that one left its queue");
    manual.run_all();
    assert_eq!(bystander.result(NO_WAIT).expect("run by the back-end"), 10);
}

#[test]
fn an_inline_task_is_the_current_task_until_it_ends() {
    let manual = Manual::new();
    let inner = manual.submit(|_: ()| task::current().expect("in a task").id(), ()).expect("accepted");
    let id = inner.id();
    let (outer, handle) = executor_core::Task::from_closure(Default::default(), move || {
        let before = task::current().expect("in a task").id();
        let inner = inner.result(None).expect("run inline");
        (before, inner, task::current().expect("in a task").id())
    });
    manual.as_worker(|| outer.run());
    let (before, inner, after) = handle.result(NO_WAIT).expect("a value");
    assert_eq!((inner, before), (id, after));
}

#[test]
fn a_time_out_of_zero_runs_nothing_inline() {
    let manual = Manual::new();
    let future = submit(&manual, 1);
    manual.as_worker(|| {
        assert_eq!(future.result(NO_WAIT).expect_err("not run").kind(), ErrorKind::Timeout);
        assert_eq!(future.exception(NO_WAIT).expect_err("not run").kind(), ErrorKind::Timeout);
        let waited = wait([future], NO_WAIT, ReturnWhen::AllCompleted);
        assert!(waited.done.is_empty());
        let mut completed = as_completed(waited.not_done, NO_WAIT);
        assert_eq!(completed.next().expect("an item").expect_err("not run").kind(), ErrorKind::Timeout);
        assert!(completed.next().is_none());
    });
    assert_eq!(manual.left_queue(), 0);
}

#[test]
fn a_thread_that_is_not_a_worker_of_the_executor_runs_nothing_inline() {
    let (manual, other) = (Manual::new(), Manual::new());
    let future = submit(&manual, 1);
    other.as_worker(|| assert_eq!(future.result(NO_WAIT).expect_err("not run").kind(), ErrorKind::Timeout));
    assert!(!future.done());
}

#[test]
fn wait_and_as_completed_run_unstarted_tasks_inline() {
    let manual = Manual::new();
    let futures: Vec<_> = (0..3).map(|n| submit(&manual, n)).collect();
    let first = manual.as_worker(|| wait(futures, None, ReturnWhen::FirstCompleted));
    assert_eq!((first.done.len(), first.not_done.len()), (1, 2), "only the awaited number of tasks ran");
    let rest = manual.as_worker(|| wait(first.not_done, None, ReturnWhen::AllCompleted));
    assert_eq!((rest.done.len(), rest.not_done.len()), (2, 0));

    let futures: Vec<_> = (0..3).map(|n| submit(&manual, n)).collect();
    let sum: u64 = manual.as_worker(|| {
        let results = as_completed(futures, None).map(|future| future?.result(None));
        results.sum::<Result<u64, Error>>().expect("values")
    });
    assert_eq!(sum, 30);
}

#[test]
fn a_map_inside_a_task_runs_inline_ordered_or_not() {
    for options in [MapOptions::new().chunksize(2), MapOptions::new().chunksize(2).unordered()] {
        let manual = Manual::new();
        let map = manual.map_with(options, |n: u64| n + 1, 0..5u64).expect("accepted");
        let sum = manual.as_worker(|| map.sum::<Result<u64, Error>>());
        assert_eq!(sum.expect("values"), 15);
    }
}

#[test]
fn a_callback_on_a_worker_may_wait_for_a_task_of_the_same_executor() {
    let manual = Manual::new();
    let (first, second) = (submit(&manual, 1), submit(&manual, 2));
    let (sender, receiver) = std::sync::mpsc::channel();
    first.add_done_callback(move |_| sender.send(second.result(None)).expect("the test receives"));
    manual.as_worker(|| manual.take().run());
    assert_eq!(receiver.try_recv().expect("the callback ended").expect("a value"), 20);
}

#[test]
fn tasks_wait_for_each_other_through_the_inline_executor() {
    let manual = Manual::new();
    let inner = submit(&manual, 4);
    let (outer, handle) = executor_core::Task::from_closure(Default::default(), move || {
        let inline = InlineExecutor::new();
        assert_eq!(inline.submit(|n: u64| n, 1)?.result(None)?, 1);
        inner.result(None)
    });
    manual.as_worker(|| outer.run());
    assert_eq!(handle.result(NO_WAIT).expect("no panic").expect("a value"), 40);
}

#[test]
fn a_panic_of_an_inline_task_does_not_unwind_into_its_waiter() {
    let manual = Manual::new();
    let inner = manual.submit(|_: ()| panic!("inner"), ()).expect("accepted");
    let _: &Future<()> = &inner;
    let error = manual.as_worker(|| inner.result(None)).expect_err("panicked");
    let panic = error.panic().expect("a panic");
    assert_eq!((panic.message(), panic.worker()), ("inner", "test-worker"));
}

#[test]
fn the_back_end_cannot_end_a_task_that_runs_inline() {
    type End = fn(Task);
    let ends: [End; 7] = [
        |task| drop(task.cancel()),
        |task| drop(task.fail(Error::new(ErrorKind::Broken, "closed"))),
        |task| assert!(task.withdraw().is_none()),
        |task| assert!(task.refuse(Error::new(ErrorKind::Broken, "closed")).is_none()),
        |task| drop(task.complete(vec![1])),
        |task| assert!(task.run_quietly().is_none()),
        drop,
    ];
    for end in ends {
        let manual = Manual::new();
        let in_queue: Arc<Mutex<Option<Task>>> = Arc::default();
        let taken = in_queue.clone();
        let (task, future) = Task::from_closure(Default::default(), move || {
            // A pool that is closed at this moment makes these calls.
            let task = taken.lock().take().expect("the back-end still holds it");
            assert!(!task.place(1) && !task.begin() && !task.recall());
            end(task);
            "the value of the inline run".to_string()
        });
        manual.schedule(task).expect("accepted");
        in_queue.lock().replace(manual.take());
        let result = manual.as_worker(|| future.result(None));
        assert_eq!(result.expect("a value"), "the value of the inline run");
    }
}
