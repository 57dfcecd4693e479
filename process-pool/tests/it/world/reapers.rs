//! Hosts that reap all of their children, including the workers of a pool.

use std::{
    process::Command,
    ptr::null_mut,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    thread,
    time::Duration,
};

use executor_core::{ErrorKind, Executor, TaskOptions};
use process_pool::{ProcessPoolExecutor, Transport};

use super::{BOTH, end_at_the_deadline, is_root, skip};
use crate::{
    programs,
    support::{
        Blocker, SharedDir, add_line, builder, get, is_alive, kill, never_ends, pool, touch, wait_for_file, wait_until,
        warm_up,
    },
};

/// Ends workers in every way, many times. The host may take their exit statuses. Those that the pool gets must be
/// right.
fn every_death_is_noticed() {
    fn exits(code: i32) -> u32 {
        std::process::exit(code)
    }
    fn starts_a_child(path: String) -> u32 {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        add_line(&path, child.id());
        wait_for_file(&format!("{path}.die"));
        std::process::abort()
    }
    for transport in BOTH {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        let blocker = Blocker::start(&pool);
        let mut taken = 0;
        for code in 3..23 {
            let error = get(&pool.submit(exits, code).unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
            let death = error.worker_death().unwrap();
            match death.exit_code() {
                Some(seen) => assert_eq!(seen, code),
                None => {
                    assert!(death.signal().is_none() && error.to_string().contains("took its exit status"), "{error}");
                    taken += 1;
                }
            }
        }
        println!("{transport:?}: the host took {taken} of 20");
        let limited = TaskOptions::new().time_limit(Duration::from_millis(30));
        let future = pool.submit_with(limited, never_ends, dir.path("limited")).unwrap();
        assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::TimeLimit);
        let future = pool.submit(never_ends, dir.path("terminated")).unwrap();
        wait_for_file(&dir.path("terminated"));
        assert!(future.terminate(Duration::from_millis(1)));
        assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::Terminated);

        let future = pool.submit(starts_a_child, dir.path("child")).unwrap();
        wait_until("a child", || !dir.lines("child").is_empty());
        let child = dir.numbers("child")[0];
        dir.touch("child.die");
        assert_eq!(get(&future).unwrap_err().kind(), ErrorKind::WorkerDied);
        wait_until("the end of what a task has started", || !is_alive(child));

        blocker.release();
        warm_up(&pool, 2);
        drop(pool);
        let recycled = builder(transport, 1).max_tasks_per_worker(1).build().unwrap();
        (0..5).for_each(|n| assert_eq!(get(&recycled.submit(|n: u32| n, n).unwrap()).unwrap(), n));
    }
}

#[test]
fn deaths_are_noticed_in_a_program_without_zombies() {
    programs::succeeds("has_no_zombies", &[]);
}

pub fn has_no_zombies() {
    end_at_the_deadline();
    on_the_end_of_a_child(libc::SIG_DFL, libc::SA_NOCLDWAIT);
    every_death_is_noticed();
}

#[test]
fn deaths_are_noticed_if_a_signal_handler_reaps_every_child() {
    programs::succeeds("reaps_in_a_handler", &[]);
}

pub fn reaps_in_a_handler() {
    end_at_the_deadline();
    on_the_end_of_a_child(reap_all as *const () as usize, libc::SA_RESTART);
    every_death_is_noticed();
    // This handler also interrupts system calls.
    on_the_end_of_a_child(reap_all as *const () as usize, 0);
    every_death_is_noticed();
}

#[test]
fn deaths_are_noticed_if_a_thread_reaps_every_child() {
    programs::succeeds("reaps_in_a_thread", &[]);
}

pub fn reaps_in_a_thread() {
    end_at_the_deadline();
    static ENOUGH: AtomicBool = AtomicBool::new(false);
    let reaper = thread::spawn(|| {
        while !ENOUGH.load(Relaxed) {
            reap_all(0);
            thread::yield_now();
        }
    });
    every_death_is_noticed();
    ENOUGH.store(true, Relaxed);
    reaper.join().unwrap();
}

#[allow(unsafe_code)]
extern "C" fn reap_all(_: i32) {
    // SAFETY: `errno` is thread-local, and the handler restores it.
    let before = unsafe { *libc::__errno_location() };
    // SAFETY: no status is asked for.
    while unsafe { libc::waitpid(-1, null_mut(), libc::WNOHANG) } > 0 {}
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = before };
}

#[allow(unsafe_code)]
fn on_signal(signal: i32, handler: usize, flags: i32) {
    // SAFETY: zeroes are a valid action; the handlers of this module do only what is allowed in one.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    // SAFETY: the action is read from a valid place, and the old one is not asked for.
    assert_eq!(unsafe { libc::sigaction(signal, &action, null_mut()) }, 0);
}

fn on_the_end_of_a_child(handler: usize, flags: i32) {
    on_signal(libc::SIGCHLD, handler, flags);
}

#[test]
fn a_process_with_the_id_of_a_dead_worker_is_neither_killed_nor_reaped() {
    if !is_root() {
        return skip("a process with the number of a dead worker", "only root can choose the number of a process");
    }
    let text = programs::succeeds("has_a_child_with_the_id_of_a_dead_worker", &[]);
    if let Some(why) = text.lines().find_map(|line| line.strip_prefix("not allowed: ")) {
        skip("a process with the number of a dead worker", why);
    }
}

/// The number of threads that are blocked in the handler.
static HELD: AtomicU32 = AtomicU32::new(0);
static LET_GO: AtomicBool = AtomicBool::new(false);

/// Blocks a thread until it is released.
extern "C" fn hold(_: i32) {
    HELD.fetch_add(1, Relaxed);
    while !LET_GO.load(Relaxed) {
        std::hint::spin_loop();
    }
    HELD.fetch_sub(1, Relaxed);
}

/// A worker dies, the host reaps it, and another child of the host gets its process id, all before the supervisor runs.
pub fn has_a_child_with_the_id_of_a_dead_worker() {
    end_at_the_deadline();
    // The supervisor blocks all signals except those that the processor raises.
    on_signal(libc::SIGTRAP, hold as *const () as usize, libc::SA_RESTART);
    for transport in BOTH {
        for busy in [false, true] {
            if let Err(why) = id_is_reused(transport, busy) {
                return println!("not allowed: {why}");
            }
        }
    }
}

#[allow(unsafe_code)]
fn id_is_reused(transport: Transport, busy: bool) -> Result<(), String> {
    let dir = SharedDir::new();
    let pool =
        ProcessPoolExecutor::builder().transport(transport).max_workers(1).name_prefix("victim").build().unwrap();
    warm_up(&pool, 1);
    let task = busy.then(|| {
        let task = pool.submit(never_ends, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        task
    });
    let worker = pool.worker_pids()[0];
    LET_GO.store(false, Relaxed);
    signal_thread("victim-supervis", libc::SIGTRAP);
    wait_until("the supervisor is held up", || HELD.load(Relaxed) == 1);
    kill(worker, libc::SIGKILL);
    let number = worker as i32;
    // SAFETY: no status is asked for.
    assert_eq!(unsafe { libc::waitpid(number, null_mut(), 0) }, number);
    let foreign = child_with_number(number, &dir.path("foreign"));
    if foreign.is_ok() {
        wait_for_file(&dir.path("foreign"));
    }
    LET_GO.store(true, Relaxed);
    wait_until("the supervisor goes on", || HELD.load(Relaxed) == 0);
    let foreign = foreign?;

    if let Some(task) = task {
        let error = get(&task).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
        assert!(error.to_string().contains("took its exit status"), "{error}");
    }
    assert_ne!(get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap(), worker);
    drop(pool);
    assert!(is_alive(worker), "a process that is not the pool's was killed");
    kill(worker, libc::SIGTERM);
    let mut status = 0;
    // SAFETY: the status is written to a valid place.
    assert_eq!(unsafe { libc::waitpid(foreign, &mut status, 0) }, foreign, "its status is there for its host");
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGTERM, "{status:#x}");
    Ok(())
}

/// Starts a child with a given process id and, as a worker has, a process group of its own.
#[allow(unsafe_code)]
fn child_with_number(number: i32, sign: &str) -> Result<i32, String> {
    for _ in 0..200 {
        if let Err(why) = std::fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()) {
            return Err(why.to_string());
        }
        // SAFETY: the child uses nothing that another thread could have locked but what the C library makes usable
        // there.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: system calls without pointers.
                unsafe { libc::setpgid(0, 0) };
                if std::process::id() as i32 == number {
                    touch(sign);
                    loop {
                        // SAFETY: as above.
                        unsafe { libc::pause() };
                    }
                }
                // SAFETY: it ends this process immediately.
                unsafe { libc::_exit(0) }
            }
            child if child == number => return Ok(child),
            child => {
                assert!(child > 0);
                // SAFETY: no status is asked for.
                unsafe { libc::waitpid(child, null_mut(), 0) };
            }
        }
    }
    Err("other programs start so many processes that the number is never free".into())
}

/// Sends a signal to the thread with this name. The kernel knows its first 15 bytes.
#[allow(unsafe_code)]
fn signal_thread(name: &str, signal: i32) {
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        if std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name) {
            let thread: i32 = task.file_name().to_str().unwrap().parse().unwrap();
            // SAFETY: a system call without pointers.
            let result = unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, signal) };
            return assert_eq!(result, 0);
        }
    }
    panic!("no thread is called {name}");
}
