//! Workers whose task, with the descriptors of an object, is on its way when something happens to them.
#![allow(unsafe_code)]

use executor_core::{Error, ErrorKind, Executor};
use process_pool::{ProcessPoolExecutor, Transport};
use process_sync::{Lock, Queue};
use test_support::{is_stopped, kill, open_descriptors, wait_until};

fn each_transport(test: fn(ProcessPoolExecutor)) {
    [Transport::Ring, Transport::Socket].into_iter().for_each(|transport| on(transport, test));
}

fn on(transport: Transport, test: fn(ProcessPoolExecutor)) {
    test_support::watched(move || {
        test(ProcessPoolExecutor::builder().max_workers(1).transport(transport).build().unwrap());
    });
}

/// Stops the worker, so that nothing that it is sent is read. Returns its process.
fn stop_worker(pool: &ProcessPoolExecutor) -> u32 {
    let pid = pool.submit(|()| std::process::id(), ()).unwrap().result(None).unwrap();
    kill(pid, libc::SIGSTOP);
    wait_until("the worker to stop", || is_stopped(pid));
    pid
}

fn put(queue: Queue<u32>) -> Result<(), Error> {
    queue.put(std::process::id())
}

#[test]
fn a_worker_that_dies_over_descriptors_is_replaced_by_one_that_gets_them() {
    each_transport(|pool| {
        for signal in [libc::SIGKILL, libc::SIGABRT] {
            let queue = Queue::unbounded().unwrap();
            let pid = stop_worker(&pool);
            let put = pool.submit(put, queue.clone()).unwrap();
            kill(pid, signal);
            // A stopped process receives other signals than SIGKILL when it goes on.
            kill(pid, libc::SIGCONT);
            put.result(None).unwrap().unwrap();
            assert_ne!(queue.get(None).unwrap(), pid);
            assert!(queue.is_empty());
        }
    });
}

#[test]
fn a_worker_that_was_stopped_over_descriptors_goes_on() {
    each_transport(|pool| {
        let queue = Queue::unbounded().unwrap();
        let pid = stop_worker(&pool);
        let put = pool.submit(put, queue.clone()).unwrap();
        kill(pid, libc::SIGCONT);
        put.result(None).unwrap().unwrap();
        queue.get(None).unwrap();
    });
}

#[test]
fn a_withdrawn_task_leaves_its_object_to_the_next() {
    // Over a socket a task that was sent counts as started, and is not withdrawn.
    on(Transport::Ring, |pool| {
        for dies in [false, true] {
            let queue = Queue::unbounded().unwrap();
            let pid = stop_worker(&pool);
            let withdrawn = pool.submit(put, queue.clone()).unwrap();
            assert!(withdrawn.cancel());
            if dies {
                kill(pid, libc::SIGKILL);
            }
            kill(pid, libc::SIGCONT);
            pool.submit(put, queue.clone()).unwrap().result(None).unwrap().unwrap();
            let process = queue.get(None).unwrap();
            assert!(queue.is_empty() && (dies || process == pid));
            assert_eq!(withdrawn.result(None).unwrap_err().kind(), ErrorKind::Cancelled);
        }
        // What was under way is gone.
        let least = pool.submit(|()| open_descriptors(), ()).unwrap().result(None).unwrap();
        for _ in 0..50 {
            let queue = Queue::unbounded().unwrap();
            let pid = stop_worker(&pool);
            let withdrawn = pool.submit(put, queue).unwrap();
            assert!(withdrawn.cancel());
            kill(pid, libc::SIGCONT);
        }
        let now = pool.submit(|()| open_descriptors(), ()).unwrap().result(None).unwrap();
        assert!(now < least + 20, "{least} descriptors at first, and {now} after it");
    });
}

/// Leaves the worker no descriptors to open, or as many as it may have.
fn limit_descriptors(is_limited: bool) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written to a valid place.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
    limit.rlim_cur = if is_limited { 0 } else { limit.rlim_max };
    // SAFETY: the limit is read from a valid place.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

#[test]
fn a_worker_without_descriptors_says_so_and_gets_them_later() {
    each_transport(|pool| {
        let lock = Lock::new().unwrap();
        let take = |lock: Lock| drop(lock.lock().unwrap());
        pool.submit(limit_descriptors, true).unwrap().result(None).unwrap();
        let error = pool.submit(take, lock.clone()).unwrap().result(None).unwrap_err();
        assert!(error.to_string().contains("raise the limit of descriptors"), "{error}");
        pool.submit(limit_descriptors, false).unwrap().result(None).unwrap();
        pool.submit(take, lock.clone()).unwrap().result(None).unwrap();
        drop(lock.lock().unwrap());
    });
}

#[test]
fn three_hundred_descriptors_are_under_way_together() {
    each_transport(|pool| {
        let locks: Vec<Lock> = (0..300).map(|_| Lock::new().unwrap()).collect();
        let pid = stop_worker(&pool);
        let take = |locks: Vec<Lock>| locks.iter().filter(|lock| lock.lock().is_ok()).count();
        let one_by_one: Vec<_> = locks.iter().map(|lock| pool.submit(take, vec![lock.clone()]).unwrap()).collect();
        let together = pool.submit(take, locks.clone()).unwrap();
        kill(pid, libc::SIGCONT);
        assert!(one_by_one.iter().all(|taken| taken.result(None).unwrap() == 1));
        assert_eq!(together.result(None).unwrap(), 300);
        assert!(locks.iter().all(|lock| !lock.is_locked()));
    });
}
