//! Waiting inside a task: what has not started is run on the spot, and nothing else is.

use std::sync::Arc;

use executor_core::{
    Backend, Error, ErrorKind, Executor, Future, InlineExecutor, MapOptions, ReturnWhen, Task, as_completed, task, wait,
};
use parking_lot::Mutex;

use crate::support::{LOOK, Pile};

fn submit(pile: &Pile, n: u64) -> Future<u64> {
    pile.submit(|n: u64| n * 10, n).expect("accepted")
}

#[test]
fn result_runs_the_awaited_task_and_never_another() {
    let pile = Pile::new();
    let (bystander, awaited) = (submit(&pile, 1), submit(&pile, 2));
    assert_eq!(pile.work(|| awaited.result(None)).expect("run on the spot"), 20);
    assert!(!bystander.done() && !bystander.running());
    assert_eq!(pile.left(), 1, "the back-end heard that one left its queue");
    pile.run_all();
    assert_eq!(bystander.result(LOOK).expect("run by the back-end"), 10);
}

#[test]
fn a_task_run_on_the_spot_is_the_current_one_and_the_outer_one_comes_back() {
    let pile = Pile::new();
    let inner = pile.submit(|_: ()| task::current().expect("in a task").id(), ()).expect("accepted");
    let id = inner.id();
    let (outer, handle) = executor_core::Task::from_closure(Default::default(), move || {
        let before = task::current().expect("in a task").id();
        let inner = inner.result(None).expect("run on the spot");
        (before, inner, task::current().expect("in a task").id())
    });
    pile.work(|| outer.run());
    let (before, inner, after) = handle.result(LOOK).expect("a value");
    assert_eq!((inner, before), (id, after));
}

#[test]
fn a_zero_time_out_only_looks() {
    let pile = Pile::new();
    let future = submit(&pile, 1);
    pile.work(|| {
        assert_eq!(future.result(LOOK).expect_err("not run").kind(), ErrorKind::Timeout);
        assert_eq!(future.exception(LOOK).expect_err("not run").kind(), ErrorKind::Timeout);
        let waited = wait([future], LOOK, ReturnWhen::AllCompleted);
        assert!(waited.done.is_empty());
        let mut completed = as_completed(waited.not_done, LOOK);
        assert_eq!(completed.next().expect("an item").expect_err("not run").kind(), ErrorKind::Timeout);
        assert!(completed.next().is_none());
    });
    assert_eq!(pile.left(), 0);
}

#[test]
fn a_thread_that_is_no_worker_of_the_executor_does_not_help() {
    let (pile, other) = (Pile::new(), Pile::new());
    let future = submit(&pile, 1);
    other.work(|| assert_eq!(future.result(LOOK).expect_err("not run").kind(), ErrorKind::Timeout));
    assert!(!future.done());
}

#[test]
fn wait_and_as_completed_run_what_has_not_started() {
    let pile = Pile::new();
    let futures: Vec<_> = (0..3).map(|n| submit(&pile, n)).collect();
    let first = pile.work(|| wait(futures, None, ReturnWhen::FirstCompleted));
    assert_eq!((first.done.len(), first.not_done.len()), (1, 2), "no more than what is waited for");
    let rest = pile.work(|| wait(first.not_done, None, ReturnWhen::AllCompleted));
    assert_eq!((rest.done.len(), rest.not_done.len()), (2, 0));

    let futures: Vec<_> = (0..3).map(|n| submit(&pile, n)).collect();
    let sum: u64 = pile.work(|| {
        let results = as_completed(futures, None).map(|future| future?.result(None));
        results.sum::<Result<u64, Error>>().expect("values")
    });
    assert_eq!(sum, 30);
}

#[test]
fn a_map_inside_a_task_runs_on_the_spot_in_both_orders() {
    for options in [MapOptions::new().chunksize(2), MapOptions::new().chunksize(2).unordered()] {
        let pile = Pile::new();
        let map = pile.map_with(options, |n: u64| n + 1, 0..5u64).expect("accepted");
        let sum = pile.work(|| map.sum::<Result<u64, Error>>());
        assert_eq!(sum.expect("values"), 15);
    }
}

#[test]
fn a_callback_on_a_worker_may_wait_for_a_task_of_the_same_executor() {
    let pile = Pile::new();
    let (first, second) = (submit(&pile, 1), submit(&pile, 2));
    let (sender, receiver) = std::sync::mpsc::channel();
    first.add_done_callback(move |_| sender.send(second.result(None)).expect("the test listens"));
    pile.work(|| pile.take().run());
    assert_eq!(receiver.try_recv().expect("the callback ended").expect("a value"), 20);
}

#[test]
fn tasks_wait_for_each_other_through_the_inline_executor() {
    let pile = Pile::new();
    let inner = submit(&pile, 4);
    let (outer, handle) = executor_core::Task::from_closure(Default::default(), move || {
        let inline = InlineExecutor::new();
        assert_eq!(inline.submit(|n: u64| n, 1)?.result(None)?, 1);
        inner.result(None)
    });
    pile.work(|| outer.run());
    assert_eq!(handle.result(LOOK).expect("no panic").expect("a value"), 40);
}

#[test]
fn a_task_that_panics_on_the_spot_fails_alone() {
    let pile = Pile::new();
    let inner = pile.submit(|_: ()| panic!("inner"), ()).expect("accepted");
    let _: &Future<()> = &inner;
    let error = pile.work(|| inner.result(None)).expect_err("panicked");
    let panic = error.panic().expect("a panic");
    assert_eq!((panic.message(), panic.worker()), ("inner", "test-worker"));
}

#[test]
fn a_task_that_runs_on_the_spot_is_out_of_its_back_ends_reach() {
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
        let pile = Pile::new();
        let in_queue: Arc<Mutex<Option<Task>>> = Arc::default();
        let taken = in_queue.clone();
        let (task, future) = Task::from_closure(Default::default(), move || {
            // What a pool does that is closed at this moment.
            let task = taken.lock().take().expect("the back-end still holds it");
            assert!(!task.place(1) && !task.begin() && !task.recall());
            end(task);
            "the value of the one who ran it".to_string()
        });
        pile.schedule(task).expect("accepted");
        in_queue.lock().replace(pile.take());
        let answer = pile.work(|| future.result(None));
        assert_eq!(answer.expect("a value"), "the value of the one who ran it");
    }
}
