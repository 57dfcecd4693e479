//! Attempts to use up what the kernel counts for all processes of a user, so that the program has nothing left.

use std::{io, time::Duration};

use executor_core::{Executor as _, TaskOptions};
use process_pool::{ProcessPoolExecutor, Sandbox, Transport};

use super::super::{become_nobody, succeeds_as_nobody};
use crate::{
    support::{builder, get},
    system_call,
};

/// A name, what a task does, and whether the program still has its share.
type Row = (&'static str, fn(), fn() -> bool);

const ROWS: &[Row] =
    &[("signals that wait", signals, can_queue_a_signal), ("memory of pipes", pipes, has_a_pipe_of_full_size)];

/// A signal that nothing else uses.
const SIGNAL: i32 = 40;
/// How many signals may wait for all processes of the user. The limit of the machine would take long to reach.
const MOST_SIGNALS: u64 = 300;

fn block() {
    // SAFETY: the set is initialised by the first call.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, SIGNAL);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}

/// Leaves signals that wait in this worker.
fn signals() {
    let (process, thread) = (std::process::id(), system_call!(libc::SYS_gettid).unwrap_or(0));
    block();
    let _ = (0..2 * MOST_SIGNALS).all(|_| system_call!(libc::SYS_tgkill, process, thread, SIGNAL).is_ok());
}

fn can_queue_a_signal() -> bool {
    let queue = || {
        block();
        let information = [SIGNAL, 0, -1, 0].repeat(8);
        let sent = system_call!(libc::SYS_rt_sigqueueinfo, std::process::id(), SIGNAL, information.as_ptr());
        let thread = system_call!(libc::SYS_gettid).unwrap_or(0);
        let sent = sent.and_then(|_| system_call!(libc::SYS_tgkill, std::process::id(), thread, SIGNAL));
        // The signals end with this thread, or are ignored.
        // SAFETY: it ignores a signal that nothing else uses.
        unsafe { libc::signal(SIGNAL, libc::SIG_IGN) };
        sent.is_ok()
    };
    std::thread::spawn(queue).join().unwrap_or(false)
}

/// Leaves pipes of the largest size that are full.
fn pipes() {
    let mut ends = [-1; 2];
    for _ in 0..1100 {
        if system_call!(libc::SYS_pipe2, ends.as_mut_ptr(), libc::O_NONBLOCK).is_err() {
            return;
        }
    }
}

fn has_a_pipe_of_full_size() -> bool {
    let mut ends = [-1; 2];
    if system_call!(libc::SYS_pipe2, ends.as_mut_ptr(), libc::O_CLOEXEC).is_err() {
        return false;
    }
    let size = system_call!(libc::SYS_fcntl, ends[0], libc::F_GETPIPE_SZ);
    ends.iter().for_each(|end| _ = system_call!(libc::SYS_close, *end));
    size == Ok(64 << 10)
}

/// Returns whether the program has its share while a worker holds what it could get.
fn attempt(pool: &ProcessPoolExecutor, row: usize) -> bool {
    let takes = |row: usize| (ROWS[row].1)();
    let options = TaskOptions::new().time_limit(Duration::from_secs(30));
    let _ = pool.submit_with(options, takes, row).and_then(|future| get(&future));
    (ROWS[row].2)()
}

/// The program that attacks, as an ordinary user, because root has no such limits.
pub fn attacks() {
    become_nobody();
    let limit = libc::rlimit { rlim_cur: MOST_SIGNALS, rlim_max: MOST_SIGNALS };
    // SAFETY: the limit is there.
    let limited = unsafe { libc::setrlimit(libc::RLIMIT_SIGPENDING, &raw const limit) };
    assert_eq!(limited, 0, "{}", io::Error::last_os_error());
    let mut wrong = Vec::new();
    for (row, (name, ..)) in ROWS.iter().enumerate() {
        let outside = builder(Transport::Ring, 1).build().expect("built");
        if attempt(&outside, row) {
            println!("SKIPPED, because it fails without a sandbox, too: {name}");
            continue;
        }
        drop(outside);
        let sandbox = Sandbox::compute().inherit_env("TEST_OUTPUT");
        let inside = builder(Transport::Ring, 1).sandbox(sandbox).build().expect("this system can keep it");
        if !attempt(&inside, row) {
            wrong.push(*name);
        }
    }
    assert!(wrong.is_empty(), "the program has no share of {wrong:?} left");
}

#[test]
fn a_worker_leaves_its_share_to_the_program() {
    succeeds_as_nobody("attacks_limits");
}
