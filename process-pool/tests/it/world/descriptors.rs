//! Descriptors: those that a host does not have, and those that others must not get.

use std::{
    collections::BTreeSet,
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use executor_core::Executor;

use super::{BOTH, end_if_it_hangs};
use crate::{
    programs,
    support::{get, pool},
};

#[test]
fn other_programs_that_the_host_starts_get_nothing_of_a_pools() {
    programs::succeeds("starts_other_programs", &[]);
}

/// What other programs have open, without numbers and without what they open themselves.
fn open_in(command: &mut Command) -> BTreeSet<String> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let opened = text.lines().filter_map(|line| line.split_once(" -> ").map(|(_, target)| target));
    let kind = |target: &str| target.split('[').next().unwrap_or_default().to_string();
    opened.filter(|target| !target.starts_with("/proc/")).map(kind).collect()
}

/// A list of its descriptors by the program that is started.
fn list() -> Command {
    let mut list = Command::new("ls");
    list.args(["-l", "/proc/self/fd"]).stdin(std::process::Stdio::null());
    list
}

/// The same, started by a fork and an exec of the host's own: std starts programs in another way without the hook.
#[allow(unsafe_code)]
fn list_after_fork() -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut list = list();
    // SAFETY: it does nothing.
    unsafe { list.pre_exec(|| Ok(())) };
    list
}

pub fn starts_other_programs() {
    end_if_it_hangs();
    let before = open_in(&mut list());
    assert!(before.contains("pipe:"), "its output is a pipe: {before:?}");
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        // Every moment in the life of a pool and of its workers comes by.
        scope.spawn(|| {
            while !enough.load(Relaxed) {
                for transport in BOTH {
                    let pool = pool(transport, 2);
                    assert_eq!(get(&pool.submit(|n: u32| n, 1).unwrap()).unwrap(), 1);
                    assert!(get(&pool.submit(|_: u32| -> u32 { std::process::abort() }, 1).unwrap()).is_err());
                }
            }
        });
        for _ in 0..100 {
            let seen = open_in(&mut list()).union(&open_in(&mut list_after_fork())).cloned().collect::<BTreeSet<_>>();
            if seen != before {
                enough.store(true, Relaxed);
                panic!("a program was started with {seen:?}, and not with {before:?}");
            }
        }
        enough.store(true, Relaxed);
    });
    // The check sees what is not closed on the way.
    let (kept, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    inherit(&kept);
    assert_ne!(open_in(&mut list()), before);
    // A worker has its link, and what it starts has not.
    for transport in BOTH {
        let pool = pool(transport, 1);
        let opened = get(&pool.submit(|()| open_in(&mut list()).into_iter().collect::<Vec<_>>(), ()).unwrap()).unwrap();
        assert!(!opened.iter().any(|kind| kind.contains("memfd") || kind.contains("anon_inode")), "{opened:?}");
    }
}

#[allow(unsafe_code)]
fn inherit(socket: &impl std::os::fd::AsRawFd) {
    // SAFETY: a system call without pointers.
    assert_eq!(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, 0) }, 0);
}
