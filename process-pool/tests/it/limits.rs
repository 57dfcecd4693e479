//! Limits and termination of running tasks.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use executor_core::{Backend, Error, ErrorKind, Executor, Future, MapOptions, Shutdown, TaskOptions, task};

use crate::support::{
    Blocker, DEADLINE, SharedDir, builder, get, is_alive, never_ends, on_both, pool, touch, wait_for_file, wait_until,
    warm_up,
};

fn kind<T: Send + 'static>(future: &Future<T>) -> Option<ErrorKind> {
    get(future).err().map(|error| error.kind())
}

#[test]
fn a_task_at_its_time_limit_is_stopped_and_its_worker_is_replaced() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = builder(transport, 1).time_limit(Duration::from_millis(50)).build().unwrap();
        let long = pool.submit(never_ends, dir.path("runs")).unwrap();
        // On a busy machine a task may take longer than the limit of the pool.
        let patient = TaskOptions::new().time_limit(DEADLINE);
        let behind: Vec<Future<u32>> =
            (0..5).map(|n| pool.submit_with(patient.clone(), |n: u32| n, n).unwrap()).collect();
        let error = get(&long).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimeLimit);
        assert!(error.to_string().contains("50ms"), "{error}");
        for (n, future) in behind.iter().enumerate() {
            assert_eq!(get(future).unwrap(), n as u32);
        }
    });
}

#[test]
fn a_tasks_own_limit_replaces_the_pools_and_starts_when_the_task_does() {
    on_both(|transport| {
        let pool = builder(transport, 1).time_limit(Duration::from_millis(1)).build().unwrap();
        let patient = TaskOptions::new().time_limit(DEADLINE);
        let blocker = Blocker::start_with(&pool, patient);
        let behind =
            pool.submit_with(TaskOptions::new().time_limit(Duration::from_millis(200)), |n: u32| n, 1).unwrap();
        let start = Instant::now();
        wait_until("more than the limit", || start.elapsed() > Duration::from_millis(300));
        assert!(blocker.future.running());
        blocker.release();
        assert_eq!(get(&behind).unwrap(), 1);
    });
}

#[test]
fn an_endless_time_limit_is_no_limit() {
    on_both(|transport| {
        let pool = builder(transport, 1).time_limit(Duration::MAX).build().unwrap();
        assert_eq!(get(&pool.submit(|n: u32| n, 1).unwrap()).unwrap(), 1);
        let options = TaskOptions::new().time_limit(Duration::from_secs(u64::MAX / 4));
        assert_eq!(get(&pool.submit_with(options, |n: u32| n, 2).unwrap()).unwrap(), 2);
        let blocker = Blocker::start(&pool);
        assert!(blocker.future.terminate(Duration::MAX));
        assert_eq!(kind(&blocker.future), Some(ErrorKind::Terminated));
    });
}

#[test]
fn many_short_tasks_with_a_limit_succeed() {
    on_both(|transport| {
        let pool = builder(transport, 2).time_limit(DEADLINE).build().unwrap();
        let futures: Vec<Future<u32>> = (0..2000).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        for (n, future) in futures.iter().enumerate() {
            assert_eq!(get(future).unwrap(), n as u32);
        }
    });
}

#[test]
fn a_time_limit_costs_one_item_of_its_chunk() {
    fn hangs_at_three(n: u32) -> u32 {
        if n == 3 {
            loop {
                std::thread::park();
            }
        }
        n
    }
    on_both(|transport| {
        // The limit is for each item, and a busy machine may stop a worker for a while.
        let pool = builder(transport, 2).time_limit(Duration::from_secs(1)).build().unwrap();
        let options = MapOptions::new().chunksize(8);
        let results: Vec<Result<u32, Error>> = pool.map_with(options, hangs_at_three, 0..16).unwrap().collect();
        for (n, result) in results.into_iter().enumerate() {
            match n {
                3 => assert_eq!(result.unwrap_err().kind(), ErrorKind::TimeLimit),
                _ => assert_eq!(result.unwrap(), n as u32),
            }
        }
    });
}

#[test]
fn a_wait_that_times_out_leaves_the_task_alone() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let blocker = Blocker::start(&pool);
        assert_eq!(blocker.future.result(Duration::from_millis(5)).unwrap_err().kind(), ErrorKind::Timeout);
        assert!(blocker.future.running());
        blocker.release();
    });
}

#[test]
fn terminate_stops_a_running_task_and_cancels_a_waiting_one() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let runs = pool.submit(never_ends, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        let waits = pool.submit(|n: u32| n, 1).unwrap();
        let last = pool.submit(|n: u32| n, 2).unwrap();
        assert!(waits.terminate(DEADLINE));
        assert!(waits.cancelled());
        assert!(runs.terminate(DEADLINE));
        assert_eq!(kind(&runs), Some(ErrorKind::Terminated));
        assert!(!runs.terminate(Duration::ZERO));
        assert_eq!(get(&last).unwrap(), 2);
    });
}

#[allow(unsafe_code)]
fn ignores_sigterm(path: String) {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    never_ends(path);
}

#[test]
fn a_task_that_ignores_sigterm_is_killed_after_the_grace_period() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let task = pool.submit(ignores_sigterm, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        assert!(task.terminate(Duration::from_millis(20)));
        assert_eq!(kind(&task), Some(ErrorKind::Terminated));
    });
}

#[test]
fn a_second_terminate_may_be_stricter() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        let first = pool.submit(ignores_sigterm, dir.path("first")).unwrap();
        let second = pool.submit(ignores_sigterm, dir.path("second")).unwrap();
        wait_for_file(&dir.path("first"));
        wait_for_file(&dir.path("second"));
        assert!(first.terminate(Duration::MAX));
        assert_eq!(first.result(Duration::from_millis(20)).unwrap_err().kind(), ErrorKind::Timeout);
        assert!(first.terminate(Duration::ZERO));
        assert_eq!(kind(&first), Some(ErrorKind::Terminated));
        pool.close(Shutdown::Terminate { grace: Duration::MAX });
        assert!(!pool.join(Some(Duration::from_millis(20))));
        pool.close(Shutdown::Terminate { grace: Duration::ZERO });
        assert!(pool.join(Some(DEADLINE)));
        assert_eq!(kind(&second), Some(ErrorKind::Terminated));
    });
}

#[allow(unsafe_code)]
fn ends_when_asked(path: String) -> u32 {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    touch(&path);
    wait_until("a request to stop", || task::current().unwrap().is_cancelled());
    touch(&format!("{path}.asked"));
    1
}

#[test]
fn a_task_that_ends_when_asked_does_not_use_up_the_grace_period() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let polite = pool.submit(ends_when_asked, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        assert!(polite.terminate(Duration::MAX));
        assert_eq!(kind(&polite), Some(ErrorKind::Terminated));
        assert!(dir.has("runs.asked"));
        assert_eq!(get(&pool.submit(|n: u32| n, 2).unwrap()).unwrap(), 2);
    });
}

#[test]
fn a_worker_that_has_left_its_process_group_can_be_stopped() {
    // The worker is killed, so it does not wait for its child.
    #[allow(unsafe_code, clippy::zombie_processes)]
    fn leaves_its_group(path: String) -> u32 {
        // The worker joins the process group of a child.
        let mut command = Command::new("cat");
        let child = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        // The group may not exist yet: under an emulator without `vfork`, the child makes it while its parent goes on.
        // SAFETY: a system call without pointers.
        wait_until("the group of the child", || unsafe { libc::setpgid(0, child.id() as libc::pid_t) } == 0);
        never_ends(path);
        0
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let limited = TaskOptions::new().time_limit(DEADLINE / 4);
        let away = pool.submit_with(limited, leaves_its_group, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        let worker = pool.worker_pids()[0];
        assert!(away.terminate(Duration::ZERO));
        assert_eq!(kind(&away), Some(ErrorKind::Terminated));
        assert!(!is_alive(worker));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_memory_limit_counts_private_and_not_shared_memory() {
    #[allow(unsafe_code)]
    fn maps((mebibytes, flags): (usize, i32)) -> bool {
        let (length, access) = (mebibytes << 20, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: no address is asked for, and what is mapped is unmapped again.
        unsafe {
            let memory = libc::mmap(std::ptr::null_mut(), length, access, flags | libc::MAP_ANONYMOUS, -1, 0);
            memory != libc::MAP_FAILED && libc::munmap(memory, length) == 0
        }
    }
    on_both(|transport| {
        let pool = builder(transport, 1).memory_limit(256 << 20).build().unwrap();
        for (mebibytes, flags, is_given) in
            [(100, libc::MAP_PRIVATE, true), (320, libc::MAP_PRIVATE, false), (320, libc::MAP_SHARED, true)]
        {
            let mapped = get(&pool.submit(maps, (mebibytes, flags)).unwrap()).unwrap();
            assert_eq!(mapped, is_given, "{mebibytes} MiB with {flags}");
        }
    });
}

#[test]
fn a_worker_has_no_more_memory_than_its_limit() {
    fn takes_memory(mebibytes: usize) -> usize {
        let memory = vec![1_u8; mebibytes << 20];
        std::hint::black_box(&memory).len() >> 20
    }
    on_both(|transport| {
        let pool = builder(transport, 1).memory_limit(300 << 20).build().unwrap();
        assert_eq!(get(&pool.submit(takes_memory, 100).unwrap()).unwrap(), 100);
        let error = get(&pool.submit(takes_memory, 400).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WorkerDied);
        assert!(error.to_string().contains("out of memory"), "{error}");
        assert_eq!(get(&pool.submit(takes_memory, 100).unwrap()).unwrap(), 100);
    });
}

/// In a task: returns the limits of core dumps.
#[allow(unsafe_code)]
fn core_limits(_: ()) -> (libc::rlim_t, libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written to a valid place.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_CORE, &mut limit) }, 0);
    (limit.rlim_cur, limit.rlim_max)
}

#[test]
fn core_dumps_follow_the_host_unless_the_pool_sets_them() {
    let dir = SharedDir::new();
    crate::programs::succeeds("crashes_with_core_dumps", &[("DIRECTORY", &dir.path(""))]);
}

#[allow(unsafe_code)]
pub fn crashes_with_core_dumps() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let directory = std::env::var("DIRECTORY").unwrap();
    std::env::set_current_dir(&directory).unwrap();
    let dumps = || std::fs::read_dir(&directory).unwrap().count();
    for (soft, hard) in [(1 << 30, 1 << 30), (0, 1 << 30), (0, 0)] {
        let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
        // SAFETY: the limit is read from a valid place.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) }, 0);
        for transport in crate::world::BOTH {
            let cases = [(None, soft, hard), (Some(true), hard, hard), (Some(false), hard.min(1), hard.min(1))];
            for (wanted, soft, hard) in cases {
                let builder = builder(transport, 1);
                let builder = if let Some(wanted) = wanted { builder.core_dumps(wanted) } else { builder };
                let pool = builder.build().unwrap();
                assert_eq!(get(&pool.submit(core_limits, ()).unwrap()).unwrap(), (soft, hard), "{wanted:?}");
                if pattern.starts_with(['|', '/']) {
                    crate::world::skip("a core dump", "the system does not write it to the directory of the process");
                    continue;
                }
                let before = dumps();
                assert!(get(&pool.submit(|()| -> () { std::process::abort() }, ()).unwrap()).is_err());
                assert_eq!(dumps() > before, soft > 1, "{wanted:?}, {soft}");
                std::fs::read_dir(&directory)
                    .unwrap()
                    .for_each(|dump| std::fs::remove_file(dump.unwrap().path()).unwrap());
            }
        }
    }
}
