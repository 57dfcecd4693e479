//! Hosts that block, ignore and handle signals. Their workers do not inherit this.

use std::{
    os::{fd::AsRawFd as _, unix::process::ExitStatusExt as _},
    process::Command,
    ptr::null_mut,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use executor_core::{ErrorKind, Executor, Shutdown};

use super::{BOTH, end_at_the_deadline};
use crate::{
    programs,
    support::{
        DEADLINE, SharedDir, builder, get, is_alive, kill, never_ends, on_both, pool, touch, wait_for_file, wait_until,
    },
};

#[test]
fn workers_start_with_default_signal_settings() {
    programs::succeeds("has_odd_signals", &[]);
}

/// In a worker: returns the blocked and the ignored signals as bits, and the time of the alarm.
#[allow(unsafe_code)]
fn state_of_signals(_: ()) -> (String, String, u32) {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_string();
    // SAFETY: a system call without pointers.
    (line("SigBlk:"), line("SigIgn:"), unsafe { libc::alarm(0) })
}

#[allow(unsafe_code)]
pub fn has_odd_signals() {
    end_at_the_deadline();
    let mut all = std::mem::MaybeUninit::uninit();
    // SAFETY: `all` is initialised by `sigfillset` before it is read, and no old mask is asked for.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigdelset(all.as_mut_ptr(), libc::SIGALRM);
        assert_eq!(libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), null_mut()), 0);
    }
    let ignored = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGQUIT, libc::SIGTSTP];
    for signal in ignored {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    for transport in BOTH {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        let (blocked, ignored, alarm) = get(&pool.submit(state_of_signals, ()).unwrap()).unwrap();
        assert_eq!(blocked.trim_start_matches('0'), "");
        // The C library reserves two signals, which cannot be changed.
        let ignored = u64::from_str_radix(&ignored, 16).unwrap() & !(0b11 << 31);
        assert_eq!(ignored, 1 << (libc::SIGPIPE - 1));
        assert_eq!(alarm, 0);
        // `SIGTERM` reaches the worker, although the host ignores and blocks it.
        let task = pool.submit(never_ends, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        assert!(task.terminate(Duration::MAX));
        assert_eq!(get(&task).unwrap_err().kind(), ErrorKind::Terminated);
        // A host that dies of `SIGPIPE` survives a worker that has closed its end of the link.
        for _ in 0..5 {
            let error = get(&pool.submit(|()| -> u32 { std::process::abort() }, ()).unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
            let large = pool.submit(|text: String| text.len() as u32, "7".repeat(1 << 20)).unwrap();
            assert_eq!(get(&large).unwrap(), 1 << 20);
        }
    }
}

#[test]
fn a_host_that_dies_of_sigpipe_survives_output_of_its_workers() {
    programs::succeeds("has_an_unread_standard_error", &[]);
}

#[allow(unsafe_code)]
pub fn has_an_unread_standard_error() {
    end_at_the_deadline();
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let (reader, writer) = test_support::pipe();
    // SAFETY: nothing in this process owns the descriptor that is replaced.
    assert_eq!(unsafe { libc::dup2(writer.as_raw_fd(), 2) }, 2);
    drop((reader, writer));
    for transport in BOTH {
        let pool = pool(transport, 1);
        for n in 0..10 {
            let writes_lines_to_stderr = |n: u32| {
                eprintln!("{n}");
                n
            };
            assert_eq!(get(&pool.submit(writes_lines_to_stderr, n).unwrap()).unwrap(), n);
            assert!(get(&pool.submit(|n: u32| -> u32 { panic!("{n}") }, n).unwrap()).is_err());
        }
        let dies = |n: i32| -> u32 {
            eprintln!("the last line");
            std::process::exit(n)
        };
        let error = get(&pool.submit(dies, 7).unwrap()).unwrap_err();
        assert!(error.worker_death().unwrap().stderr_tail().ends_with("the last line"), "{error}");
    }
}

#[test]
fn pools_work_in_a_host_whose_threads_are_interrupted_constantly() {
    programs::succeeds("is_interrupted_constantly", &[]);
}

static INTERRUPTIONS: AtomicU64 = AtomicU64::new(0);

extern "C" fn interrupted(_: i32) {
    INTERRUPTIONS.fetch_add(1, Relaxed);
}

/// A timer sends a signal every millisecond, and a thread signals all threads again and again. The handlers do not
/// restart system calls.
#[allow(unsafe_code)]
pub fn is_interrupted_constantly() {
    // SAFETY: zeroes are a valid action: no flags, so that system calls end early; the handler only counts.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = interrupted as *const () as usize;
    for signal in [libc::SIGALRM, libc::SIGUSR2] {
        // SAFETY: the action is read from a valid place, and the old one is not asked for.
        assert_eq!(unsafe { libc::sigaction(signal, &action, null_mut()) }, 0);
    }
    let millisecond = libc::timeval { tv_sec: 0, tv_usec: 1000 };
    let timer = libc::itimerval { it_interval: millisecond, it_value: millisecond };
    // SAFETY: the timer is read from a valid place, and the old one is not asked for.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, null_mut()) }, 0);
    static ENOUGH: AtomicBool = AtomicBool::new(false);
    let storm = thread::spawn(|| {
        while !ENOUGH.load(Relaxed) {
            for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
                let thread: i32 = task.file_name().to_str().expect("a number").parse().expect("a number");
                // SAFETY: a system call without pointers. The thread may be gone, and then nothing happens.
                unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, libc::SIGUSR2) };
            }
            thread::park_timeout(Duration::from_micros(100));
        }
    });
    for transport in BOTH {
        works_hard(transport);
    }
    ENOUGH.store(true, Relaxed);
    storm.join().unwrap();
    assert!(INTERRUPTIONS.load(Relaxed) > 100);
    println!("{} interruptions", INTERRUPTIONS.load(Relaxed));
}

fn works_hard(transport: process_pool::Transport) {
    let pool = pool(transport, 2);
    for round in 0..10 {
        let futures: Vec<_> = (0..100).map(|n| pool.submit(|n: u32| n * 2, n).unwrap()).collect();
        let large = "7".repeat(2 << 20);
        let echo = pool.submit(|text: String| text, large.clone()).unwrap();
        let dies = pool.submit(|_: u32| -> u32 { std::process::abort() }, round).unwrap();
        for (n, future) in futures.iter().enumerate() {
            assert_eq!(get(future).unwrap(), 2 * n as u32);
        }
        assert!(get(&echo).unwrap() == large);
        assert_eq!(get(&dies).unwrap_err().kind(), ErrorKind::WorkerDied);
        // The start and the end of a pool are interrupted too.
        let other = crate::support::pool(transport, 1);
        assert_eq!(get(&other.submit(|n: u32| n, round).unwrap()).unwrap(), round);
    }
}

#[test]
fn the_threads_of_a_pool_take_no_signal_of_the_program() {
    programs::succeeds("has_pools_at_work", &[]);
}

const WAITED_FOR: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1];

/// Blocks signals in this thread.
#[allow(unsafe_code)]
fn block(signals: &[i32]) -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: the set is initialised by `sigemptyset` before anything else is done with it, and no old mask is asked
    // for.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        let mut set = set.assume_init();
        signals.iter().for_each(|signal| assert_eq!(libc::sigaddset(&mut set, *signal), 0));
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &set, null_mut()), 0);
        set
    }
}

/// The pool exists before the program blocks signals, so its threads have not inherited the mask. All of its threads
/// run: the supervisor, callbacks, and that for the standard error.
#[allow(unsafe_code)]
pub fn has_pools_at_work() {
    end_at_the_deadline();
    for transport in BOTH {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        let (sender, receiver) = std::sync::mpsc::channel();
        let task = pool.submit(
            |n: u32| {
                eprintln!("a line to forward");
                n
            },
            1,
        );
        task.unwrap().add_done_callback(move |_| sender.send(()).expect("it is waited for"));
        receiver.recv().unwrap();
        let gate = pool.submit(never_ends, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            // The thread may have ended.
            let Ok(comm) = std::fs::read_to_string(task.path().join("comm")) else { continue };
            if !comm.starts_with("Process") {
                continue;
            }
            let blocked = || {
                let status = std::fs::read_to_string(task.path().join("status")).ok()?;
                let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?.trim().to_string();
                Some(u64::from_str_radix(&blocked, 16).unwrap())
            };
            let has = |blocked: u64, signal: i32| blocked & 1 << (signal - 1) != 0;
            for signal in WAITED_FOR {
                assert!(blocked().is_none_or(|blocked| has(blocked, signal)), "{comm} takes {signal}");
            }
            // The C library blocks all signals in a thread that starts, ends, or starts a process.
            let hides_fault = |blocked| {
                [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL].iter().any(|fault| has(blocked, *fault))
            };
            wait_until("a thread that hides no fault", || !blocked().is_some_and(hides_fault));
        }
        assert!(gate.terminate(Duration::ZERO));
        get(&gate).unwrap_err();
    }
}

#[test]
fn a_task_that_waits_for_a_signal_gets_it_and_not_its_worker() {
    #[allow(unsafe_code)]
    fn waits(path: String) -> i32 {
        let set = block(&WAITED_FOR);
        crate::support::touch(&path);
        // The signal is pending before this thread waits for it, so any thread that accepts it would get it.
        let is_there = || {
            let mut pending = set;
            // SAFETY: there is space for the set.
            unsafe {
                libc::sigpending(&mut pending) == 0
                    && WAITED_FOR.iter().any(|signal| libc::sigismember(&pending, *signal) == 1)
            }
        };
        crate::support::wait_until("a signal", is_there);
        // SAFETY: the set is initialised, and no details are asked for.
        let signal = unsafe { libc::sigwaitinfo(&set, null_mut()) };
        // SAFETY: as above, and the old mask is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, null_mut()) };
        signal
    }
    crate::support::on_both(|transport| {
        let pool = pool(transport, 1);
        for signal in WAITED_FOR {
            let dir = SharedDir::new();
            let task = pool.submit(waits, dir.path("waits")).unwrap();
            wait_for_file(&dir.path("waits"));
            crate::support::kill(pool.worker_pids()[0], signal);
            assert_eq!(get(&task).unwrap(), signal);
        }
    });
}

/// Sends `SIGTERM` as a service manager does, from a process that is not the parent of the worker.
fn end_from_elsewhere(pid: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().expect("a shell");
    assert!(sent.success(), "process {pid} is not there");
}

fn ends_with_the_file((begun, end): (String, String)) -> u32 {
    touch(&begun);
    wait_for_file(&end);
    std::process::id()
}

#[test]
fn a_worker_survives_a_sigterm_of_another_process_and_finishes_its_task() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let worker = get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap();
        // Without a task, during one, and after that.
        for round in 0..3 {
            end_from_elsewhere(worker);
            let (begun, end) = (dir.path(&format!("begun.{round}")), dir.path(&format!("end.{round}")));
            let task = pool.submit(ends_with_the_file, (begun.clone(), end.clone())).unwrap();
            wait_for_file(&begun);
            end_from_elsewhere(worker);
            touch(&end);
            assert_eq!(get(&task).unwrap(), worker);
        }
        assert_eq!(pool.stats().deaths, 0);
        // The pool's own signal still ends it, with a grace that would be endless.
        let task = pool.submit(never_ends, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        assert!(task.terminate(Duration::MAX));
        assert_eq!(get(&task).unwrap_err().kind(), ErrorKind::Terminated);
        // So does a signal of this program.
        let task = pool.submit(never_ends, dir.path("again")).unwrap();
        wait_for_file(&dir.path("again"));
        kill(pool.worker_pids()[0], libc::SIGTERM);
        assert_eq!(get(&task).unwrap_err().worker_death().expect("its death").signal(), Some(libc::SIGTERM));
    });
}

#[test]
fn a_pool_whose_workers_are_signalled_while_it_is_drained_loses_nothing() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = builder(transport, 2).initializer(|()| (), ()).build().unwrap();
        let tasks: Vec<_> = (0..6)
            .map(|n| pool.submit(ends_with_the_file, (dir.path(&format!("begun.{n}")), dir.path("end"))).unwrap())
            .collect();
        wait_for_file(&dir.path("begun.1"));
        pool.worker_pids().into_iter().for_each(end_from_elsewhere);
        std::thread::scope(|scope| {
            let ending = scope.spawn(|| pool.shutdown(Shutdown::Drain));
            pool.worker_pids().into_iter().for_each(end_from_elsewhere);
            touch(&dir.path("end"));
            ending.join().expect("it does not panic");
        });
        assert!(tasks.iter().all(|task| get(task).is_ok()));
        assert_eq!(pool.stats().deaths, 0);
    });
}

#[test]
fn programs_and_forked_children_of_a_task_end_by_sigterm() {
    #[allow(unsafe_code)]
    fn starts_both(path: String) -> (Option<i32>, i32) {
        let mut program = Command::new("sleep").arg("1000").spawn().unwrap();
        end_from_elsewhere(program.id());
        let of_program = program.wait().unwrap().signal();
        // SAFETY: the child only sleeps, and creates a file without allocating on the way to it: the worker has no
        // other thread that could hold the lock of the allocator, because the lifeline never allocates.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            never_ends(path.clone());
        }
        wait_for_file(&path);
        end_from_elsewhere(child.unsigned_abs());
        let mut status = 0;
        // SAFETY: the status is written to a valid place.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        (of_program, if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 })
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let ended = get(&pool.submit(starts_both, dir.path("forked")).unwrap()).unwrap();
        assert_eq!(ended, (Some(libc::SIGTERM), libc::SIGTERM));
    });
}

#[test]
fn a_task_may_handle_sigterm_by_itself() {
    #[allow(unsafe_code)]
    fn ends_by_default(path: String) {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_DFL) };
        never_ends(path);
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let task = pool.submit(ends_by_default, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        let worker = pool.worker_pids()[0];
        end_from_elsewhere(worker);
        assert_eq!(get(&task).unwrap_err().worker_death().expect("its death").signal(), Some(libc::SIGTERM));
        wait_until("the end of the worker", || !is_alive(worker));
        // The next worker survives it again.
        end_from_elsewhere(get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap());
        assert!(pool.submit(|()| (), ()).unwrap().result(DEADLINE).is_ok());
        assert_eq!(pool.stats().deaths, 1);
    });
}

#[test]
fn children_of_a_task_have_no_signal_blocked() {
    crate::support::on_both(|transport| {
        let pool = pool(transport, 1);
        let child = |()| {
            let output = std::process::Command::new("grep").args(["SigBlk", "/proc/self/status"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        for _ in 0..2 {
            // The second worker is one that the supervisor has started.
            let blocked = get(&pool.submit(child, ()).unwrap()).unwrap();
            assert_eq!(blocked.trim_start_matches("SigBlk:").trim().trim_start_matches('0'), "");
            crate::support::kill(pool.worker_pids()[0], libc::SIGKILL);
            crate::support::warm_up(&pool, 1);
        }
    });
}
