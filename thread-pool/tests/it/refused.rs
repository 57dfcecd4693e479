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
    fn pool_under_a_limit() -> bool {
        limit_memory(3 * STACK);
        let pool = ThreadPoolExecutor::builder().max_workers(8).stack_size(STACK).build().unwrap();
        let workers = pool.max_workers();
        let sum = pool.map(|n: u64| n, 0..100u64).unwrap().sum::<Result<u64, _>>().unwrap();
        pool.shutdown(Shutdown::Drain);
        (1..8).contains(&workers) && sum == 4950 && pool.join(None)
    }
    in_a_child(pool_under_a_limit);
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
    fn an_error_and_a_pool_that_goes_on() -> bool {
        let pool = ThreadPoolExecutor::builder().max_workers(1).stack_size(STACK).build().unwrap();
        assert_eq!(pool.submit(|n: u64| n, 1).unwrap().result(None).unwrap(), 1);
        // This is too little for a stack and enough for everything else.
        limit_memory(STACK * 3 / 4);
        let handle = pool.handle().unwrap();
        let error = pool.spawn(move || nest(handle, 1_000_000)).unwrap().result(None).unwrap().unwrap_err();
        let text = error.to_string();
        let right = error.kind() == ErrorKind::InvalidState && text.contains("refused to start a thread");
        let goes_on = pool.submit(|n: u64| n, 7).unwrap().result(None).unwrap() == 7;
        pool.shutdown(Shutdown::Drain);
        right && goes_on
    }
    in_a_child(an_error_and_a_pool_that_goes_on);
}

/// Limits this process to this number of additional bytes of memory.
fn limit_memory(more: usize) {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').next().unwrap().parse().unwrap();
    let limit = (pages * 4096 + more) as libc::rlim_t;
    // SAFETY: the limit is a plain value.
    unsafe { libc::setrlimit(libc::RLIMIT_AS, &libc::rlimit { rlim_cur: limit, rlim_max: limit }) };
}

/// Runs a function in a forked child. The function returns whether all is as expected.
fn in_a_child(run: fn() -> bool) {
    // SAFETY: the child only runs the function and `_exit`. An alarm ends it if that hangs.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe { libc::alarm(60) };
        let right = std::panic::catch_unwind(run).unwrap_or(false);
        // SAFETY: as above.
        unsafe { libc::_exit(if right { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and `status` is valid for writes.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status}");
}

/// A thread of another rayon pool reaches the global one through a helper thread. The test runs in its own process,
/// because it limits the memory for a moment.
#[cfg(feature = "rayon")]
#[test]
fn an_unreachable_global_rayon_pool_is_an_error_of_that_submit_only() {
    const NAME: &str = "refused::an_unreachable_global_rayon_pool_is_an_error_of_that_submit_only";
    const INSIDE: &str = "THREAD_POOL_TEST_LIMITED";
    fn limit(bytes: libc::rlim_t) {
        // SAFETY: the limit is a plain value.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY }) };
    }
    if std::env::var_os(INSIDE).is_none() {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        let output = again.args(["--exact", NAME, "--nocapture"]).env(INSIDE, "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
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
