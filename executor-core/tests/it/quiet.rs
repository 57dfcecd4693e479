//! Completing a task on a thread that must not run user code: what that thread does, and what another thread must do.

use std::{
    future::{Future as _, IntoFuture as _},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, ThreadId},
};

use executor_core::{Executor, ReturnWhen, Task, TaskOptions, wait};
use serde::{Deserialize, Serialize};

use crate::support::{Journal, Remote};

/// Records the threads in which it is woken. A waker is code of a runtime.
struct Recording(Journal<ThreadId>);

impl Wake for Recording {
    fn wake(self: Arc<Self>) {
        self.0.add(thread::current().id());
    }
}

/// Drops a value on another thread, and returns the id of that thread.
fn drop_on_another_thread(deferred: impl Send + 'static) -> ThreadId {
    let thread = thread::spawn(move || {
        drop(deferred);
        thread::current().id()
    });
    thread.join().expect("it does not panic")
}

#[test]
fn a_waker_is_left_to_another_thread() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || 7);
    let journal = Journal::new();
    let waker = Waker::from(Arc::new(Recording(journal.clone())));
    let mut awaited = future.into_future();
    assert!(Pin::new(&mut awaited).poll(&mut Context::from_waker(&waker)).is_pending());
    let deferred = task.run_quietly().expect("it ran").wake_threads().expect("a waker");
    assert!(journal.entries().is_empty());
    assert_eq!(drop_on_another_thread(deferred), journal.entries()[0]);
    let poll = Pin::new(&mut awaited).poll(&mut Context::from_waker(&waker));
    assert!(matches!(poll, Poll::Ready(Ok(7))));
}

#[test]
fn waiting_threads_are_woken_and_callbacks_are_left_in_order() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || 7);
    let journal = Journal::new();
    for number in 0..3 {
        let journal = journal.clone();
        future.add_done_callback(move |_| journal.add(number));
    }
    let deferred = thread::scope(|scope| {
        let waits = scope.spawn(|| future.exception(None));
        let deferred = task.run_quietly().expect("it ran").wake_threads();
        assert!(waits.join().expect("it is woken").expect("it is done").is_none());
        deferred
    });
    assert!(journal.entries().is_empty());
    drop_on_another_thread(deferred.expect("callbacks"));
    assert_eq!(journal.entries(), [0, 1, 2]);
}

#[test]
fn a_wait_for_many_is_woken_and_leaves_nothing_to_do() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || 7);
    thread::scope(|scope| {
        let waits = scope.spawn(|| wait([future], None, ReturnWhen::AllCompleted).done.len());
        assert!(task.run_quietly().expect("it ran").wake_threads().is_none());
        assert_eq!(waits.join().expect("it is woken"), 1);
    });
}

/// Counts in a static how many were dropped.
#[derive(Serialize, Deserialize)]
struct Dropped(u32);

static DROPS: AtomicUsize = AtomicUsize::new(0);

impl Drop for Dropped {
    fn drop(&mut self) {
        DROPS.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_result_without_another_owner_is_left_to_another_thread() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || Dropped(7));
    let completed = task.run_quietly().expect("it ran");
    drop(future);
    let before = DROPS.load(SeqCst);
    let deferred = completed.wake_threads().expect("the value");
    assert_eq!(DROPS.load(SeqCst), before);
    drop_on_another_thread(deferred);
    assert_eq!(DROPS.load(SeqCst), before + 1);

    // A reply of another process that was decoded, but whose value was not taken.
    let back_end = Remote::default();
    let future = back_end.submit(Dropped, 7).expect("accepted");
    let written = back_end.take();
    let reply = written.reply();
    let completed = written.task.complete(reply);
    assert!(future.exception(None).expect("it is done").is_none());
    drop(future);
    let before = DROPS.load(SeqCst);
    drop_on_another_thread(completed.wake_threads().expect("the value"));
    assert_eq!(DROPS.load(SeqCst), before + 1);
}

#[test]
fn a_panic_that_no_one_has_read_is_left_to_another_thread() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || -> u32 { panic!("on purpose") });
    let completed = task.run_quietly().expect("it ran");
    drop(future);
    // It prints the panic, which can block.
    drop_on_another_thread(completed.wake_threads().expect("the panic"));
}

#[test]
fn without_a_user_value_nothing_is_left_to_another_thread() {
    // The value was taken, was never decoded, does not exist after a panic, or is still owned by the future.
    let (task, future) = Task::from_closure(TaskOptions::new(), || 7);
    let completed = task.run_quietly().expect("it ran");
    future.result(None).expect("a value");
    drop(future);
    assert!(completed.wake_threads().is_none());

    let back_end = Remote::default();
    drop(back_end.submit(Dropped, 7).expect("accepted"));
    let written = back_end.take();
    let reply = written.reply();
    assert!(written.task.complete(reply).wake_threads().is_none());

    let (task, future) = Task::from_closure(TaskOptions::new(), || -> u32 { panic!("on purpose") });
    let completed = task.run_quietly().expect("it ran");
    assert!(future.exception(None).expect("it is done").is_some());
    drop(future);
    assert!(completed.wake_threads().is_none());

    let (task, future) = Task::from_closure(TaskOptions::new(), || Dropped(7));
    let completed = task.run_quietly().expect("it ran");
    assert!(completed.wake_threads().is_none(), "the future holds it");
    assert_eq!(future.result(None).expect("a value").0, 7);
}
