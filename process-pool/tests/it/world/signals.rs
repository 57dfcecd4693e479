//! Hosts that block, ignore and handle signals. Their workers do not inherit this.

use std::{
    os::fd::AsRawFd as _,
    ptr::null_mut,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use executor_core::{ErrorKind, Executor};

use super::{BOTH, end_at_the_deadline};
use crate::{
    programs,
    support::{SharedDir, get, never_ends, pool, wait_for_file, wait_until},
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
