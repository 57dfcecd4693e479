//! What a thread of a back-end that must not run user code does about a task that is done, and what it leaves to
//! another.

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

use crate::support::{Elsewhere, Journal};

/// Notes in which thread it is woken, cloned and dropped: all of that is code of a runtime's.
struct Noisy(Journal<ThreadId>);

impl Wake for Noisy {
    fn wake(self: Arc<Self>) {
        self.0.add(thread::current().id());
    }
}

/// Another thread does what is left.
fn elsewhere(rest: impl Send + 'static) -> ThreadId {
    let thread = thread::spawn(move || {
        drop(rest);
        thread::current().id()
    });
    thread.join().expect("it does not panic")
}

#[test]
fn a_waker_is_left_to_another_thread() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || 7);
    let journal = Journal::new();
    let waker = Waker::from(Arc::new(Noisy(journal.clone())));
    let mut awaited = future.into_future();
    assert!(Pin::new(&mut awaited).poll(&mut Context::from_waker(&waker)).is_pending());
    let rest = task.run_quietly().expect("it ran").wake_threads().expect("a waker");
    assert!(journal.entries().is_empty());
    assert_eq!(elsewhere(rest), journal.entries()[0]);
    let poll = Pin::new(&mut awaited).poll(&mut Context::from_waker(&waker));
    assert!(matches!(poll, Poll::Ready(Ok(7))));
}

#[test]
fn threads_that_wait_are_woken_and_callbacks_are_left_in_their_order() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || 7);
    let journal = Journal::new();
    for number in 0..3 {
        let journal = journal.clone();
        future.add_done_callback(move |_| journal.add(number));
    }
    let rest = thread::scope(|scope| {
        let waits = scope.spawn(|| future.exception(None));
        let rest = task.run_quietly().expect("it ran").wake_threads();
        assert!(waits.join().expect("it is woken").expect("it is done").is_none());
        rest
    });
    assert!(journal.entries().is_empty());
    elsewhere(rest.expect("callbacks"));
    assert_eq!(journal.entries(), [0, 1, 2]);
}

#[test]
fn a_wait_for_many_is_woken_and_leaves_nothing() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || 7);
    thread::scope(|scope| {
        let waits = scope.spawn(|| wait([future], None, ReturnWhen::AllCompleted).done.len());
        assert!(task.run_quietly().expect("it ran").wake_threads().is_none());
        assert_eq!(waits.join().expect("it is woken"), 1);
    });
}

/// Counts where it is dropped.
#[derive(Serialize, Deserialize)]
struct Dropped(u32);

static DROPS: AtomicUsize = AtomicUsize::new(0);

impl Drop for Dropped {
    fn drop(&mut self) {
        DROPS.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_result_that_nobody_else_holds_is_dropped_by_another_thread() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || Dropped(7));
    let completed = task.run_quietly().expect("it ran");
    drop(future);
    let before = DROPS.load(SeqCst);
    let rest = completed.wake_threads().expect("the value");
    assert_eq!(DROPS.load(SeqCst), before);
    elsewhere(rest);
    assert_eq!(DROPS.load(SeqCst), before + 1);

    // A reply of another process that somebody has read, but not taken.
    let back_end = Elsewhere::default();
    let future = back_end.submit(Dropped, 7).expect("accepted");
    let written = back_end.take();
    let reply = written.reply();
    let completed = written.task.complete(reply);
    assert!(future.exception(None).expect("it is done").is_none());
    drop(future);
    let before = DROPS.load(SeqCst);
    elsewhere(completed.wake_threads().expect("the value"));
    assert_eq!(DROPS.load(SeqCst), before + 1);
}

#[test]
fn what_is_no_value_of_the_user_s_needs_no_other_thread() {
    // Taken, not read, failed, cancelled; and one that somebody else still holds.
    let (task, future) = Task::from_closure(TaskOptions::new(), || 7);
    let completed = task.run_quietly().expect("it ran");
    future.result(None).expect("a value");
    drop(future);
    assert!(completed.wake_threads().is_none());

    let back_end = Elsewhere::default();
    drop(back_end.submit(Dropped, 7).expect("accepted"));
    let written = back_end.take();
    let reply = written.reply();
    assert!(written.task.complete(reply).wake_threads().is_none());

    let (task, _) = Task::from_closure(TaskOptions::new(), || -> u32 { panic!("on purpose") });
    assert!(task.run_quietly().expect("it ran").wake_threads().is_none());

    let (task, future) = Task::from_closure(TaskOptions::new(), || Dropped(7));
    let completed = task.run_quietly().expect("it ran");
    assert!(completed.wake_threads().is_none(), "the future holds it");
    assert_eq!(future.result(None).expect("a value").0, 7);
}
