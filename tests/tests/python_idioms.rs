//! What the chapter "Coming from Python" says about differences is true here. The same calls were made in Python 3.11;
//! what it did is in the comments.

use std::{sync::mpsc, time::Duration};

use concurrent_futures::{
    ErrorKind, Executor, ProcessPoolExecutor, ReturnWhen, ThreadPoolExecutor, as_completed,
    command::{self, Command},
    multiprocessing::{
        BoundedSemaphore, JoinableQueue, Lock, Process, Queue, Stdio, parent_process, pipe, pipe_simplex,
    },
    promise, wait,
};
use test_support::{Blocker, DEADLINE};

fn threads() -> ThreadPoolExecutor {
    ThreadPoolExecutor::new(1).expect("a pool")
}

fn fail(n: u64) -> u64 {
    panic!("{n} is wrong")
}

#[test]
fn the_exception_can_be_read_often_and_the_result_once() {
    let future = threads().submit(fail, 1).expect("accepted");
    // The same.
    for _ in 0..2 {
        let error = future.exception(None).expect("it is done").expect("it has failed");
        assert_eq!(error.kind(), ErrorKind::Panicked);
    }
    let future = threads().submit(|n: u64| n, 1).expect("accepted");
    assert!(future.exception(None).expect("it is done").is_none());
    assert_eq!(future.result(None).expect("a result"), 1);
    // Python returns the same object again.
    assert_eq!(future.result(None).expect_err("it is gone").kind(), ErrorKind::InvalidState);
}

#[test]
fn a_cancelled_future_has_no_exception_but_an_error() {
    let pool = threads();
    let blocker = Blocker::start(&pool);
    let future = pool.submit(|n: u64| n, 1).expect("accepted");
    assert!(future.cancel() && future.cancelled() && future.done());
    // Python raises `CancelledError`.
    assert_eq!(future.exception(None).expect_err("it was cancelled").kind(), ErrorKind::Cancelled);
    blocker.release();
}

#[test]
fn futures_given_twice_are_returned_twice() {
    let futures = [1, 2].map(|n: u64| threads().submit(|n: u64| n, n).expect("accepted"));
    let [one, other] = &futures;
    // Python makes a set of them: 2 and 2.
    assert_eq!(wait([one, one, other], None, ReturnWhen::AllCompleted).done.len(), 3);
    assert_eq!(as_completed([one, one, other], None).count(), 3);
    // The same.
    let none: [&concurrent_futures::Future<u64>; 0] = [];
    assert!(wait(none, None, ReturnWhen::AllCompleted).done.is_empty());
}

#[test]
fn a_map_goes_on_after_an_error_and_a_time_out_is_an_item() {
    let results = threads().map(|n: u64| 10 / n, [5, 0, 2]).expect("accepted");
    let results: Vec<_> = results.map(|result| result.map_err(|error| error.kind())).collect();
    // Python's iterator raises at the second, and is at its end.
    assert_eq!(results, [Ok(2), Err(ErrorKind::Panicked), Ok(5)]);

    let pool = threads();
    let blocker = Blocker::start(&pool);
    let waiting = pool.submit(|n: u64| n, 1).expect("accepted");
    // Python raises `TimeoutError`.
    let last = as_completed([&waiting], Duration::ZERO).last().expect("an item");
    assert_eq!(last.expect_err("it is not done").kind(), ErrorKind::Timeout);
    blocker.release();
}

#[test]
fn what_python_raises_as_a_runtime_error_is_a_kind() {
    let pool = threads();
    pool.shutdown(concurrent_futures::Shutdown::Drain);
    // `RuntimeError: cannot schedule new futures after shutdown`, `ValueError: Pool not running`.
    assert_eq!(pool.submit(|n: u64| n, 1).expect_err("it is shut down").kind(), ErrorKind::ShutDown);
    // `ValueError: max_workers must be greater than 0`.
    assert_eq!(ThreadPoolExecutor::new(0).expect_err("no threads").kind(), ErrorKind::InvalidArgument);
    // `InvalidStateError`, and the first value is kept.
    let (promise, future) = promise::<u64>();
    promise.set_result(1).expect("the first");
    assert_eq!(promise.set_result(2).expect_err("the second").kind(), ErrorKind::InvalidState);
    // `RuntimeError`, and a message in the log.
    assert!(!promise.set_running_or_notify_cancel());
    assert_eq!(future.result(None).expect("a result"), 1);
}

#[test]
fn successful_is_a_question_only_about_what_is_done() {
    let pool = threads();
    let blocker = Blocker::start(&pool);
    let waiting = pool.submit(|n: u64| n, 1).expect("accepted");
    // Python raises `ValueError: … not ready`.
    assert_eq!(waiting.exception(Duration::ZERO).expect_err("it is not done").kind(), ErrorKind::Timeout);
    blocker.release();
    assert!(waiting.exception(None).expect("it is done").is_none());
}

#[test]
fn a_callback_that_fails_changes_nothing() {
    let (send, receive) = mpsc::channel();
    let pool = threads();
    let blocker = Blocker::start(&pool);
    let future = pool.submit(|n: u64| n + 1, 1).expect("accepted");
    future.add_done_callback(|_| std::panic::resume_unwind(Box::new("the callback fails")));
    future.add_done_callback(move |future| send.send(future.done()).expect("it is received"));
    blocker.release();
    // The same.
    assert_eq!(receive.recv_timeout(DEADLINE), Ok(true));
    assert_eq!(future.result(None).expect("a result"), 2);
}

#[test]
fn a_lambda_goes_to_processes() {
    let pool = ProcessPoolExecutor::new(1).expect("a pool");
    // `AttributeError: Can't pickle local object`.
    assert_eq!(pool.submit(|()| 1, ()).expect("accepted").result(None).expect("a result"), 1);
    // `None`.
    assert!(parent_process().is_none());
}

#[test]
fn the_exit_code_of_a_process_whose_function_fails_is_one() {
    let process = Process::builder().stderr(Stdio::Null).spawn(fail, 1);
    let process = process.expect("it starts");
    assert!(process.join(None));
    // The same.
    assert_eq!(process.exit_code(), Some(1));
    assert_eq!(process.result(None).expect_err("it has failed").kind(), ErrorKind::Panicked);
}

#[test]
fn queues_that_are_full_or_empty_are_no_exception() {
    let queue = Queue::<u64>::bounded(1).expect("a queue");
    queue.put(1).expect("there is room");
    // `Full`.
    assert!(!queue.try_put(2).expect("it is open"));
    assert_eq!(queue.put_timeout(2, Duration::ZERO).expect_err("it is full").kind(), ErrorKind::Timeout);
    assert_eq!(queue.get(None).expect("an item"), 1);
    // `Empty`.
    assert_eq!(queue.try_get().expect("it is open"), None);
    assert_eq!(queue.get(Duration::ZERO).expect_err("it is empty").kind(), ErrorKind::Timeout);
    let queue = JoinableQueue::<u64>::unbounded().expect("a queue");
    // `ValueError: task_done() called too many times`.
    assert_eq!(queue.task_done().expect_err("nothing to do").kind(), ErrorKind::InvalidState);
}

#[test]
fn locks_and_semaphores_are_guards() {
    let lock = Lock::new().expect("a lock");
    let held = lock.lock().expect("it is free");
    std::thread::scope(|scope| {
        // `False`, as `acquire(timeout=…)`.
        let timed_out = scope.spawn(|| lock.lock_timeout(Duration::ZERO).map(drop).expect_err("it is held").kind());
        assert_eq!(timed_out.join().expect("no panic"), ErrorKind::Timeout);
    });
    drop(held);
    let semaphore = BoundedSemaphore::new(1).expect("a semaphore");
    // `ValueError: semaphore or lock released too many times`.
    assert_eq!(semaphore.release(1).expect_err("nothing was acquired").kind(), ErrorKind::InvalidState);
}

#[cfg(target_os = "linux")]
#[test]
fn the_end_of_the_other_side_of_a_pipe_is_closed() {
    let (one, other) = pipe::<u64, u64>().expect("a pipe");
    drop(other);
    // `True`, and then `EOFError`.
    assert!(one.poll(DEADLINE));
    assert_eq!(one.recv(None).expect_err("it is closed").kind(), ErrorKind::Closed);
    // The same order.
    let (receiver, sender) = pipe_simplex::<u64>().expect("a pipe");
    sender.send(1).expect("it is open");
    assert_eq!(receiver.recv(None).expect("a value"), 1);
}

#[test]
fn exit_codes_of_programs_are_those_of_python() {
    // The same.
    assert_eq!(command::status(Command::new("false")).expect("it runs"), 1);
    assert_eq!(command::status(Command::new("sh").args(["-c", "kill -9 $$"])).expect("it runs"), -9);
    // `FileNotFoundError`.
    let error = command::status(Command::new("/does/not/exist")).expect_err("there is no such program");
    assert!(error.to_string().contains("/does/not/exist"), "{error}");
}
