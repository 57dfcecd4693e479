//! Panics of user code, wherever it is called. No value is lost or dropped twice.

use std::sync::Mutex;

use executor_core::{Error, ErrorKind, Executor, InlineExecutor, MapOptions, Task, TaskOptions, promise};
use serde::{Deserialize, Serialize};

use crate::support::{Drops, Manual, NO_WAIT, PanicsOnDrop, kind, panics};

#[test]
fn a_panic_is_a_value_with_message_location_and_worker() {
    let future = InlineExecutor::new().submit(|n: u64| -> u64 { panic!("number {n}") }, 4).expect("accepted");
    let error = future.result(None).expect_err("panicked");
    let panic = error.panic().expect("a panic");
    assert_eq!((panic.message(), panic.worker()), ("number 4", "inline"));
    assert!(panic.location().expect("a location").contains("panics.rs:"));
    assert!(error.to_string().contains("number 4"));
}

#[test]
fn a_panic_keeps_its_location_if_a_drop_catches_another_panic() {
    struct CatchesInDrop;
    impl Drop for CatchesInDrop {
        fn drop(&mut self) {
            let inner = InlineExecutor::new().submit(|_: ()| -> u64 { panic!("inner") }, ());
            assert_eq!(kind(&inner.expect("accepted")), ErrorKind::Panicked);
        }
    }
    let (task, future) = Task::from_closure(TaskOptions::new(), || {
        let _catches = CatchesInDrop;
        panic!("outer");
    });
    task.run();
    let _: &executor_core::Future<()> = &future;
    let error = future.result(None).expect_err("panicked");
    let panic = error.panic().expect("a panic");
    assert_eq!(panic.message(), "outer");
    assert!(panic.location().expect("a location").contains("panics.rs:"));
}

#[test]
fn a_task_can_be_submitted_while_the_thread_unwinds() {
    struct Submits<'a>(&'a Mutex<Option<u64>>);
    impl Drop for Submits<'_> {
        fn drop(&mut self) {
            let future = InlineExecutor::new().submit(|n: u64| n, 5).expect("accepted");
            *self.0.lock().unwrap() = future.result(None).ok();
        }
    }
    let result = Mutex::new(None);
    assert!(panics(|| {
        let _submits = Submits(&result);
        panic!("unwinds through a drop that submits");
    }));
    assert_eq!(result.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take(), Some(5));
}

#[test]
fn an_argument_that_panics_in_drop_does_not_unwind_into_the_caller() {
    for end in 0..4 {
        let value = PanicsOnDrop;
        let (task, future) = Task::from_closure(TaskOptions::new(), move || drop(value));
        match end {
            0 => assert!(future.cancel()),
            1 => drop(task.cancel()),
            2 => drop(task.fail(Error::new(ErrorKind::Other, "no"))),
            _ => drop(task),
        }
        assert!(future.done());
    }
}

#[test]
fn a_result_that_panics_in_drop_does_not_unwind_into_the_caller() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || PanicsOnDrop);
    drop(future);
    task.run();
    let (promise, future) = promise();
    promise.set_result(PanicsOnDrop).expect("pending");
    drop((promise, future));
}

#[test]
fn a_callback_that_panics_in_drop_does_not_affect_the_result() {
    let (promise, future) = promise::<u64>();
    let value = PanicsOnDrop;
    future.add_done_callback(move |_| drop(value));
    promise.set_result(1).expect("pending");
    assert_eq!(future.result(NO_WAIT).expect("a value"), 1);
}

#[test]
fn a_stopped_chunk_survives_items_that_panic_in_drop() {
    #[derive(Serialize, Deserialize)]
    struct Item(u8);
    impl Drop for Item {
        fn drop(&mut self) {
            assert_eq!(self.0, 0, "an item that panics in drop");
        }
    }
    let manual = Manual::new();
    let map = manual.map_with(MapOptions::new().chunksize(3), |item: Item| item.0, [Item(0), Item(1), Item(1)]);
    let mut map = map.expect("accepted");
    let task = manual.take();
    task.ask_to_stop();
    task.run();
    assert_eq!(map.next().expect("an item").expect_err("stopped").kind(), ErrorKind::Cancelled);
    assert_eq!(map.count(), 2);
}

#[test]
fn every_value_is_dropped_once_however_its_task_ends() {
    let argument = |drops: &Drops| {
        let counted = drops.counted();
        Task::from_closure(TaskOptions::new(), move || counted)
    };
    type End = fn(Task, &executor_core::Future<crate::support::Counted>);
    let ends: [(&str, End); 7] = [
        ("runs and is taken", |task, future| {
            task.run();
            assert!(future.result(None).is_ok());
        }),
        ("runs and is not taken", |task, _| task.run()),
        ("cancelled by the future", |_, future| assert!(future.cancel())),
        ("cancelled by the back-end", |task, _| drop(task.cancel())),
        ("withdrawn", |task, _| drop(task.withdraw().expect("it is queued"))),
        ("failed", |task, _| drop(task.fail(Error::new(ErrorKind::Other, "no")))),
        ("dropped", |task, _| drop(task)),
    ];
    for (name, end) in ends {
        let drops = Drops::default();
        let (task, future) = argument(&drops);
        end(task, &future);
        drop(future);
        assert_eq!(drops.count(), 1, "{name}");
    }
}

#[test]
fn cancel_drops_the_arguments_before_it_returns() {
    let drops = Drops::default();
    let counted = drops.counted();
    let (_task, future) = Task::from_closure(TaskOptions::new(), move || drop(counted));
    assert!(future.cancel());
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_clone_that_panics_leaves_the_shared_value_usable() {
    struct PanicsOnFirstClone(Mutex<bool>);
    impl Clone for PanicsOnFirstClone {
        fn clone(&self) -> PanicsOnFirstClone {
            let first =
                std::mem::replace(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner), false);
            assert!(!first, "the first clone panics");
            PanicsOnFirstClone(Mutex::new(false))
        }
    }
    let (promise, future) = promise();
    let shared = future.shared();
    promise.set_result(PanicsOnFirstClone(Mutex::new(true))).unwrap_or_else(|_| unreachable!("pending"));
    assert!(panics(|| drop(shared.result(None))));
    assert!(shared.result(None).is_ok());
}

#[test]
fn a_back_end_that_panics_when_a_task_starts_does_not_stop_the_task() {
    let (task, future) = Task::from_closure(TaskOptions::new(), || 3);
    assert!(task.run_after(|| panic!("in the back-end")).is_some());
    assert_eq!(future.result(NO_WAIT).expect("it ran"), 3);
}

#[test]
fn a_thread_local_destructor_can_run_tasks() {
    use std::{cell::RefCell, sync::mpsc};
    struct Late(mpsc::Sender<Result<u64, Error>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let future = InlineExecutor::new().submit(|n: u64| n + 1, 1);
            let result = future.and_then(|future| {
                future.add_done_callback(|future| assert!(future.done()));
                future.result(None)
            });
            let _ = self.0.send(result);
        }
    }
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        // It is set first, so that it is dropped after the thread-locals of the library.
        LATE.set(Some(Late(sender)));
        let future = InlineExecutor::new().submit(|n: u64| n, 1).expect("accepted");
        assert_eq!(future.result(None).expect("a value"), 1);
    });
    thread.join().expect("ends");
    assert_eq!(receiver.recv().expect("the drop ran").expect("a value"), 2);
}
