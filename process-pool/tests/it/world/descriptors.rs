//! Hosts without standard descriptors, and descriptors that other programs must not inherit.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Write as _,
    os::fd::{AsRawFd as _, FromRawFd as _},
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use executor_core::{ErrorKind, Executor};
use process_pool::ProcessPoolExecutor;

use super::{BOTH, end_at_the_deadline, variable};
use crate::{
    programs,
    support::{get, pool},
};

#[test]
fn a_host_without_standard_descriptors_may_have_pools() {
    for closed in 1..8_u32 {
        programs::succeeds("has_closed_descriptors", &[("CLOSED", &closed.to_string())]);
    }
}

/// Closes some of the first three descriptors, and goes on writing to them.
#[allow(unsafe_code)]
pub fn has_closed_descriptors() {
    end_at_the_deadline();
    let closed: u32 = variable("CLOSED").parse().unwrap();
    // SAFETY: it makes a new descriptor, which nothing else owns.
    let stderr = unsafe { File::from_raw_fd(libc::fcntl(2, libc::F_DUPFD_CLOEXEC, 100)) };
    assert!(stderr.as_raw_fd() >= 100);
    std::panic::set_hook(Box::new(move |panic| {
        writeln!(&stderr, "with {closed:03b} closed: {panic}").expect("the line is written")
    }));
    let outcome = std::panic::catch_unwind(|| {
        let built_before = BOTH.map(|transport| pool(transport, 1));
        for descriptor in 0..3 {
            if closed & 1 << descriptor != 0 {
                // SAFETY: nothing in this process owns the three descriptors.
                unsafe { libc::close(descriptor) };
            }
        }
        built_before.into_iter().for_each(|pool| use_without(pool, closed));
        BOTH.into_iter().for_each(|transport| use_without(pool(transport, 1), closed));
    });
    // The harness would write to a closed descriptor.
    // SAFETY: it ends this process immediately.
    unsafe { libc::_exit(i32::from(outcome.is_err())) };
}

#[allow(unsafe_code)]
fn use_without(pool: ProcessPoolExecutor, closed: u32) {
    fn prints(n: u32) -> u32 {
        println!("to the standard output");
        eprintln!("to the standard error");
        n
    }
    fn dies(n: u32) -> u32 {
        eprintln!("the last line");
        std::process::exit(n as i32)
    }
    // This output must not reach a link that has been given the number of a closed descriptor.
    let print = || {
        for descriptor in (1..3).filter(|descriptor| closed & 1 << descriptor != 0) {
            for length in [1, 8, 100] {
                // SAFETY: the bytes are a constant.
                unsafe { libc::write(descriptor, [1_u8; 100].as_ptr().cast(), length) };
            }
        }
    };
    for n in 0..20 {
        print();
        assert_eq!(get(&pool.submit(prints, n).unwrap()).unwrap(), n);
    }
    for code in 3..6 {
        print();
        let error = get(&pool.submit(dies, code).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
        let death = error.worker_death().unwrap();
        assert_eq!(death.exit_code(), Some(code as i32));
        assert!(death.stderr_tail().ends_with("the last line"), "{error}");
    }
    let worker = || get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap();
    let first = worker();
    for _ in 0..20 {
        print();
        assert_eq!(worker(), first, "what was printed has reached its link");
    }
}

#[test]
fn other_programs_of_the_host_inherit_no_descriptor_of_a_pool() {
    programs::succeeds("starts_other_programs", &[]);
}

/// Returns the kinds of descriptors that another program inherits.
fn open_in(command: &mut Command) -> BTreeSet<String> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let opened = text.lines().filter_map(|line| line.split_once(" -> ").map(|(_, target)| target));
    let kind = |target: &str| target.split('[').next().unwrap_or_default().to_string();
    opened.filter(|target| !target.starts_with("/proc/")).map(kind).collect()
}

/// Returns a command that lists its descriptors.
fn list() -> Command {
    let mut list = Command::new("ls");
    list.args(["-l", "/proc/self/fd"]).stdin(std::process::Stdio::null());
    list
}

/// Returns the same command, started by fork and exec. Without the hook, std uses another system call.
#[allow(unsafe_code)]
fn list_after_fork() -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut list = list();
    // SAFETY: it does nothing.
    unsafe { list.pre_exec(|| Ok(())) };
    list
}

pub fn starts_other_programs() {
    end_at_the_deadline();
    let before = open_in(&mut list());
    assert!(before.contains("pipe:"), "its output is a pipe: {before:?}");
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        // Pools are built, used and dropped all the time.
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
    // The check notices an inherited descriptor.
    let (kept, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    inherit(&kept);
    assert_ne!(open_in(&mut list()), before);
    // The children of a worker do not inherit its link.
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
