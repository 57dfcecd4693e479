//! Descriptors that the host leaves open for its children. Workers inherit only those that are passed explicitly.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpListener,
    os::fd::{AsRawFd, FromRawFd as _, IntoRawFd as _, OwnedFd},
    process::Command,
};

use executor_core::{ErrorKind, Executor};
use process_pool::ProcessPoolExecutor;
use rustix::fs::{FlockOperation, flock};

use super::{BOTH, end_at_the_deadline, variable};
use crate::{
    programs,
    support::{builder, get, kill, pool, wait_until, warm_up},
};

/// Lets all children inherit a descriptor.
#[allow(unsafe_code)]
fn inherit(descriptor: &impl AsRawFd) {
    // SAFETY: a system call without pointers.
    assert_eq!(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, 0) }, 0);
}

/// In a task: returns the open descriptors other than the standard ones, by number.
fn open_here(_: ()) -> BTreeMap<i32, String> {
    let numbers = fs::read_dir("/proc/self/fd").expect("a /proc").flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let numbers: Vec<i32> = numbers.filter(|number| *number > 2).collect();
    let target = |number: i32| Some((number, fs::read_link(format!("/proc/self/fd/{number}")).ok()?));
    let opened = numbers.into_iter().filter_map(target);
    opened.map(|(number, target)| (number, target.to_str().expect("text").to_string())).collect()
}

/// Returns the kinds of descriptors of a worker itself.
fn own() -> Vec<String> {
    let mut kinds: Vec<String> = open_here(()).into_values().map(|target| kind(&target)).collect();
    kinds.sort();
    kinds
}

fn kind(target: &str) -> String {
    target
        .split(['[', '('])
        .next()
        .unwrap_or_default()
        .trim_end_matches(|digit: char| digit.is_ascii_digit())
        .to_string()
}

#[test]
fn workers_inherit_no_descriptor_that_their_host_leaves_open() {
    for many in ["1", "50", "10000"] {
        programs::succeeds("leaves_descriptors_open", &[("MANY", many)]);
    }
}

pub fn leaves_descriptors_open() {
    end_at_the_deadline();
    let many: usize = variable("MANY").parse().unwrap();
    raise_limit();
    for transport in BOTH {
        let usual = get(&pool(transport, 1).submit(|()| own(), ()).unwrap()).unwrap();
        // A worker that inherited the pipe, the port or the lock would keep it.
        let (mut reader, writer) = test_support::pipe();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap();
        let locked = tempfile::NamedTempFile::new().unwrap();
        flock(locked.as_file(), FlockOperation::NonBlockingLockExclusive).unwrap();
        inherit(&writer);
        inherit(&listener);
        inherit(locked.as_file());
        let more: Vec<File> = (3..many).map_while(|_| File::open("/dev/null").ok()).collect();
        assert_eq!(more.len(), many.saturating_sub(3), "the limit of descriptors is too low");
        more.iter().for_each(inherit);

        let pool = builder(transport, 2).build().unwrap();
        warm_up(&pool, 2);
        let first = pool.worker_pids()[0];
        kill(first, libc::SIGKILL);
        wait_until("its replacement", || pool.worker_pids().len() == 2 && !pool.worker_pids().contains(&first));
        for _ in 0..10 {
            assert_eq!(get(&pool.submit(|()| own(), ()).unwrap()).unwrap(), usual);
        }
        // A descriptor that the host closes is closed everywhere.
        drop(writer);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        drop(listener);
        drop(TcpListener::bind(port).unwrap());
        let (file, path) = locked.into_parts();
        drop(file);
        flock(File::open(&path).unwrap(), FlockOperation::NonBlockingLockExclusive).unwrap();
        // The host keeps its other descriptors.
        for file in &more {
            assert_eq!(flags_of(file.as_raw_fd()), 0);
        }
    }
}

#[allow(unsafe_code)]
fn raise_limit() {
    // SAFETY: the limit is written and read in a valid place.
    unsafe {
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// Stands for a library that opens a file when it is loaded.
const LIBRARY_OPENS: &str = "A_LIBRARY_OPENS";

#[used]
#[allow(unsafe_code)]
#[unsafe(link_section = ".init_array.00300")]
static LIBRARY: extern "C" fn() = library_opens;

extern "C" fn library_opens() {
    if let Some(path) = env::var_os(LIBRARY_OPENS) {
        let file = File::open(path).expect("opens");
        inherit(&file);
        let _ = file.into_raw_fd();
    }
}

#[test]
fn descriptors_of_a_workers_own_libraries_stay_open() {
    programs::succeeds("leaves_numbers_that_libraries_use", &[]);
}

pub fn leaves_numbers_that_libraries_use() {
    end_at_the_deadline();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap().to_string();
    // These are all numbers that a library in a worker could get.
    let left: Vec<File> = (0..20).map(|_| File::open("/dev/null").unwrap()).collect();
    left.iter().for_each(inherit);
    for transport in BOTH {
        let pool = builder(transport, 1).env(LIBRARY_OPENS, &path).build().unwrap();
        let seen = get(&pool.submit(open_here, ()).unwrap()).unwrap();
        assert_eq!(seen.values().filter(|target| **target == path).count(), 1, "{seen:?}");
        assert_eq!(seen.values().filter(|target| *target == "/dev/null").count(), 0, "{seen:?}");
    }
}

#[test]
fn passed_descriptors_keep_their_numbers_in_workers_and_their_children() {
    programs::succeeds("passes_descriptors_on", &[]);
}

pub fn passes_descriptors_on() {
    end_at_the_deadline();
    for transport in BOTH {
        let (mut reader, writer) = test_support::pipe();
        let (second_reader, second_writer) = test_support::pipe();
        let left = File::open("/dev/null").unwrap();
        inherit(&left);
        // These have high numbers, and not the flag to inherit them.
        let far = duplicate(writer.as_raw_fd(), 700);
        drop(writer);
        inherit(&second_writer);
        let numbers = [far.as_raw_fd(), second_writer.as_raw_fd()];
        let pool = builder(transport, 2).pass_fds([far]).pass_fds([second_writer]).build().unwrap();
        warm_up(&pool, 2);
        assert_eq!(flags_of(numbers[0]), libc::FD_CLOEXEC, "it is as it was here");
        let first = pool.worker_pids()[0];
        kill(first, libc::SIGKILL);
        wait_until("its replacement", || pool.worker_pids().len() == 2 && !pool.worker_pids().contains(&first));
        for _ in 0..4 {
            let seen = get(&pool.submit(open_here, ()).unwrap()).unwrap();
            assert!(numbers.iter().all(|number| seen[number].starts_with("pipe:")), "{seen:?}");
            assert!(!seen.values().any(|target| target == "/dev/null"), "{seen:?}");
        }
        let writes = |number: i32| {
            borrowed(number).write_all(b"task ").unwrap();
            let mut child = Command::new("sh");
            child.args(["-c", "printf 'child ' > /proc/self/fd/$0", &number.to_string()]);
            assert!(child.status().unwrap().success());
        };
        get(&pool.submit(writes, numbers[0]).unwrap()).unwrap();
        drop(pool);
        // The pool has ended, and with it the last process that could write.
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "task child ");
        drop(second_reader);
    }
    let other = duplicate(1, 0);
    drop(ProcessPoolExecutor::builder().pass_fds([other]).max_workers(1).build().expect("a number of its own"));
    close(0);
    let standard = duplicate(1, 0);
    let error = ProcessPoolExecutor::builder().pass_fds([standard]).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.to_string().contains("pass_fds"), "{error}");
}

#[allow(unsafe_code)]
fn duplicate(number: i32, least: i32) -> OwnedFd {
    // SAFETY: it makes a new descriptor, which nothing else owns.
    unsafe { OwnedFd::from_raw_fd(libc::fcntl(number, libc::F_DUPFD_CLOEXEC, least)) }
}

#[allow(unsafe_code)]
fn close(number: i32) {
    // SAFETY: nothing in this process owns the standard input.
    unsafe { libc::close(number) };
}

#[allow(unsafe_code)]
fn flags_of(number: i32) -> i32 {
    // SAFETY: a system call without pointers.
    unsafe { libc::fcntl(number, libc::F_GETFD) }
}

#[allow(unsafe_code)]
fn borrowed(number: i32) -> std::mem::ManuallyDrop<File> {
    // SAFETY: the pool has passed it on, and it is not closed here.
    std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(number) })
}
