//! A system that refuses to start threads.
#![allow(unsafe_code)]

use executor_core::{Backend, ErrorKind, Executor, Shutdown};
use thread_pool::ThreadPoolExecutor;

#[test]
fn building_a_pool_without_any_thread_is_an_error_with_the_cause() {
    // No process has so many free addresses in one piece.
    const STACK: usize = (usize::MAX / 4 * 3) & !0xffff;
    let error = ThreadPoolExecutor::builder().max_workers(2).stack_size(STACK).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert!(error.to_string().contains("refused to start a thread: "), "{error}");
}

#[test]
fn a_pool_works_with_the_threads_that_it_gets() {
    const STACK: usize = 256 << 20;
    if runs_elsewhere("a_pool_works_with_the_threads_that_it_gets") {
        return;
    }
    limit_memory(3 * STACK);
    let pool = ThreadPoolExecutor::builder().max_workers(8).stack_size(STACK).build().unwrap();
    let workers = pool.max_workers();
    assert!((1..8).contains(&workers), "{workers} workers");
    assert_eq!(pool.map(|n: u64| n, 0..100u64).unwrap().sum::<Result<u64, _>>().unwrap(), 4950);
    pool.shutdown(Shutdown::Drain);
    assert!(pool.join(None));
}

#[test]
fn a_wait_that_is_nested_too_deep_is_an_error_if_the_system_refuses_a_fresh_stack() {
    const STACK: usize = 32 << 20;
    fn nest(handle: std::sync::Arc<dyn Backend>, left: u32) -> Result<u32, executor_core::Error> {
        if left == 0 {
            return Ok(0);
        }
        let below = handle.clone();
        let (task, future) = executor_core::Task::from_closure(Default::default(), move || nest(below, left - 1));
        handle.schedule(task)?;
        let result = future.result(None);
        // A task that could not be run still waits in the queue.
        assert!(result.is_ok() || future.cancel());
        Ok(1 + result??)
    }
    if runs_elsewhere("a_wait_that_is_nested_too_deep_is_an_error_if_the_system_refuses_a_fresh_stack") {
        return;
    }
    let pool = ThreadPoolExecutor::builder().max_workers(1).stack_size(STACK).build().unwrap();
    assert_eq!(pool.submit(|n: u64| n, 1).unwrap().result(None).unwrap(), 1);
    // This is too little for a stack and enough for everything else.
    limit_memory(STACK * 3 / 4);
    let handle = pool.handle().unwrap();
    let error = pool.spawn(move || nest(handle, 1_000_000)).unwrap().result(None).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
    assert!(error.to_string().contains("refused to start a thread"), "{error}");
    assert_eq!(pool.submit(|n: u64| n, 7).unwrap().result(None).unwrap(), 7);
    pool.shutdown(Shutdown::Drain);
}

/// Limits this process to this number of additional bytes of memory.
fn limit_memory(more: usize) {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').next().unwrap().parse().unwrap();
    let limit = (pages * 4096 + more) as libc::rlim_t;
    // SAFETY: the limit is a plain value.
    unsafe { libc::setrlimit(libc::RLIMIT_AS, &libc::rlimit { rlim_cur: limit, rlim_max: limit }) };
}

/// Runs the test with this name in a process of its own, because it limits the memory. Returns `true` if it did, and
/// `false` in that process.
///
/// A forked copy of this process would not do: other tests run in it, and a lock that one of their threads holds at the
/// fork stays locked in the copy.
fn runs_elsewhere(test: &str) -> bool {
    const INSIDE: &str = "THREAD_POOL_TEST_LIMITED";
    if std::env::var_os(INSIDE).is_some() {
        // SAFETY: this only sets a timer. It ends a process that hangs.
        unsafe { libc::alarm(120) };
        return false;
    }
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let name = format!("refused::{test}");
    let output = again.args(["--exact", &name, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{}: {text}", output.status);
    true
}

/// A thread of another rayon pool reaches the global one through a helper thread.
#[cfg(feature = "rayon")]
#[test]
fn an_unreachable_global_rayon_pool_is_an_error_of_that_submit_only() {
    fn limit(bytes: libc::rlim_t) {
        // SAFETY: the limit is a plain value.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY }) };
    }
    if runs_elsewhere("an_unreachable_global_rayon_pool_is_an_error_of_that_submit_only") {
        return;
    }
    let other = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let executor = thread_pool::RayonExecutor::global();
    let submit = || executor.submit(|n: u64| n + 1, 1).and_then(|future| future.result(None));
    assert_eq!(submit().unwrap(), 2);
    other.install(|| ());
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: libc::rlim_t = pages.split(' ').next().unwrap().parse().unwrap();
    // This is too little for a stack.
    limit(pages * 4096 + (1 << 20));
    let (inside, outside) = (other.install(submit), submit());
    limit(libc::RLIM_INFINITY);
    let error = inside.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert!(error.to_string().contains("refused to start: "), "{error}");
    assert_eq!(outside.unwrap(), 2);
    assert_eq!(other.install(submit).unwrap(), 2);
}
