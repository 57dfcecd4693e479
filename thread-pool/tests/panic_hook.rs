//! A panic hook that reports through a pool. This test has its own process, because it needs the first task of one.

use std::{
    panic,
    sync::{Arc, mpsc::channel},
    thread,
    time::Duration,
};

use executor_core::{Backend, Executor};
use thread_pool::ThreadPoolExecutor;

/// A test that takes longer than this hangs.
const HANGS: Duration = Duration::from_secs(60);

#[test]
fn a_hook_may_wait_for_the_first_task_of_a_pool() {
    let pool = Arc::new(ThreadPoolExecutor::new(1).unwrap());
    let (send, reports) = channel();
    let reporter = pool.clone();
    panic::set_hook(Box::new(move |_| {
        // The task submits another one, as a reporter that writes to several places may do.
        let handle = reporter.handle().unwrap();
        let task = reporter.spawn(move || handle.submit(|n: u64| n + 1, 1).unwrap().result(None).unwrap());
        let _ = send.send(task.unwrap().result(None));
    }));
    let panics = thread::spawn(|| panic!("reported"));
    assert_eq!(reports.recv_timeout(HANGS).expect("the hook hangs").unwrap(), 2);
    assert!(panics.join().is_err());

    // From now on panics of tasks are values, and other panics still go to the hook.
    let error = pool.spawn(|| panic!("delivered")).unwrap().result(None).unwrap_err();
    assert!(error.panic().unwrap().location().unwrap().contains("panic_hook.rs"), "{error}");
    assert!(reports.try_recv().is_err());
    assert!(thread::spawn(|| panic!("reported too")).join().is_err());
    assert_eq!(reports.recv_timeout(HANGS).unwrap().unwrap(), 2);
    drop(panic::take_hook());
}
