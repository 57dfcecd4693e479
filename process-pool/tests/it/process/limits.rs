//! Bad options, limits of the system, forks, and what is left behind.

use std::{fs::File, os::fd::AsRawFd as _, time::Instant};

use executor_core::{Error, ErrorKind};
use process_pool::{Process, Stdio, active_children};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    programs,
    support::{DEADLINE, children, open_descriptors, threads, wait_until},
    world::{end_at_the_deadline, scarcity},
};

#[test]
fn bad_options_are_errors_and_start_nothing() {
    let cases = [
        Process::builder().name("zero \0 byte"),
        Process::builder().name("x".repeat(201)),
        Process::builder().memory_limit(0),
        Process::builder().env("", "value"),
        Process::builder().env("a=b", "value"),
        Process::builder().env("key", "zero \0 byte"),
        Process::builder().env("CONCURRENT_FUTURES_DEPTH", "0"),
    ];
    for builder in cases {
        let error = builder.spawn(|n: u64| n, 1).expect_err("a bad option");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
}

#[derive(Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("on purpose"))
    }
}

#[test]
fn what_cannot_be_encoded_is_an_error_on_either_side() {
    let error = Process::spawn(|_: Unwritable| (), Unwritable).expect_err("it cannot be sent");
    assert_eq!(error.kind(), ErrorKind::Encode, "{error}");
    let process = Process::spawn(|()| Unwritable, ()).unwrap();
    let error = process.result(DEADLINE).map(|_| ()).expect_err("it cannot come back");
    assert_eq!(error.kind(), ErrorKind::Encode, "{error}");
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(1));
}

#[test]
fn a_process_beyond_its_memory_limit_ends() {
    let process = Process::builder()
        .memory_limit(64 << 20)
        .stderr(Stdio::Null)
        .spawn(|size: usize| std::hint::black_box(vec![1_u8; size]).len(), 512 << 20)
        .unwrap();
    let error = process.result(DEADLINE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(-libc::SIGABRT));
}

#[test]
fn spawning_too_deep_is_an_error() {
    fn descend(depth: u32) -> (u32, String) {
        match Process::spawn(descend, depth + 1) {
            Ok(process) => process.result(DEADLINE).unwrap(),
            Err(error) => (depth, error.to_string()),
        }
    }
    let (depth, error) = descend(0);
    assert!(depth == 8 && error.contains("8 deep"), "{depth}: {error}");
}

/// Spawns a process, or fails cleanly.
fn try_one() -> Result<(), Error> {
    let before = open_descriptors();
    let outcome = Process::builder().stdin(Stdio::Piped).stdout(Stdio::Piped).spawn(|n: u64| n + 1, 41);
    let outcome = outcome.and_then(|process| process.result(DEADLINE));
    if let Err(error) = &outcome {
        assert!(matches!(error.kind(), ErrorKind::Other | ErrorKind::Broken | ErrorKind::WorkerDied), "{error}");
        wait_until("the end of all processes", || children().is_empty());
    } else {
        assert_eq!(outcome.as_ref().ok(), Some(&42));
    }
    wait_until("the descriptors to be closed", || open_descriptors() <= before);
    outcome.map(|_| ())
}

#[allow(unsafe_code)]
fn set_limit(resource: scarcity::Resource, limit: u64) {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid place.
    unsafe {
        assert_eq!(libc::getrlimit(resource, &mut limits), 0);
        limits.rlim_cur = (limit as libc::rlim_t).min(limits.rlim_max);
        assert_eq!(libc::setrlimit(resource, &limits), 0);
    }
}

/// The number below which every descriptor is in use, so that a limit at it leaves none. Whoever started this program
/// may have left holes, which would hide from a count of descriptors how many a limit allows.
/// Returns what fills the holes too, for as long as the number is used.
fn first_free_descriptor() -> (u64, Vec<File>) {
    let mut fillers = Vec::new();
    let highest = std::fs::read_dir("/proc/self/fd")
        .expect("the directory")
        .filter_map(|entry| entry.expect("an entry").file_name().to_str()?.parse().ok())
        .max()
        .unwrap_or(2);
    loop {
        let file = File::open("/dev/null").expect("a descriptor");
        let number = file.as_raw_fd();
        if number > highest {
            return (number as u64, fillers);
        }
        fillers.push(file);
    }
}

#[test]
fn with_few_descriptors_a_process_runs_or_is_an_error() {
    programs::succeeds("has_few_descriptors_for_processes", &[]);
}

pub fn has_few_descriptors_for_processes() {
    end_at_the_deadline();
    // The threads and descriptors that all processes share are there from now on.
    Process::spawn(|()| (), ()).unwrap().join(None);
    let (limit, _fillers) = first_free_descriptor();
    let used = open_descriptors();
    let mut outcomes = [0; 2];
    for more in 0..30 {
        set_limit(libc::RLIMIT_NOFILE, limit + more);
        // The check itself opens a descriptor, so it runs without the limit.
        let process = Process::builder().stdin(Stdio::Piped).stdout(Stdio::Piped).spawn(|n: u64| n + 1, 41);
        set_limit(libc::RLIMIT_NOFILE, limit + 1000);
        let outcome = process.and_then(|process| process.result(DEADLINE));
        outcomes[usize::from(outcome.is_ok())] += 1;
        match outcome {
            Ok(result) => assert_eq!(result, 42),
            Err(error) => {
                println!("with {more} more: {error}");
                assert!(error.kind() != ErrorKind::Other || error.to_string().contains("descriptors"), "{error}");
            }
        }
        wait_until("the descriptors to be closed", || open_descriptors() <= used);
    }
    assert!(outcomes[0] > 3 && outcomes[1] > 3, "{outcomes:?}");
    try_one().expect("it works again");
}

#[test]
fn with_few_processes_a_process_runs_or_is_an_error() {
    let output = scarcity::as_no_root("has_few_processes_for_processes").output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{text}", output.status);
}

pub fn has_few_processes_for_processes() {
    end_at_the_deadline();
    set_limit(libc::RLIMIT_NPROC, 1);
    let error = try_one().expect_err("not even a thread can be started");
    assert!(error.to_string().contains("no thread"), "{error}");
    set_limit(libc::RLIMIT_NPROC, 4096);
    Process::spawn(|()| (), ()).unwrap().join(None);
    // The thread is there from now on, and the process is refused.
    set_limit(libc::RLIMIT_NPROC, 1);
    let error = try_one().expect_err("no process can be started");
    assert!(error.to_string().contains("process `Process-"), "{error}");
    set_limit(libc::RLIMIT_NPROC, 4096);
    try_one().expect("it works again");
}

#[test]
fn a_forked_copy_has_no_processes_and_its_parent_goes_on() {
    programs::succeeds("forks_with_processes", &[]);
}

#[allow(unsafe_code)]
pub fn forks_with_processes() {
    let process = Process::spawn(|()| read_line(), ()).unwrap();
    let piped = Process::builder().stdin(Stdio::Piped).spawn(|()| read_line(), ()).unwrap();
    // SAFETY: the child uses nothing that another thread could have locked but what is under test.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            assert_eq!(Process::spawn(|n: u64| n, 1).unwrap_err().kind(), ErrorKind::Broken);
            assert!(active_children().is_empty() && !piped.is_alive() && !piped.join(None));
            assert_eq!((piped.exit_code(), piped.result(DEADLINE).unwrap_err().kind()), (None, ErrorKind::Broken));
            piped.terminate();
            piped.kill();
            let _ = format!("{piped:?}");
            drop((piped, process));
        }));
        // SAFETY: it ends this process immediately.
        unsafe { libc::_exit(i32::from(outcome.is_err())) }
    }
    let start = Instant::now();
    let mut status = 0;
    wait_until("the end of the child", || {
        assert!(start.elapsed() < DEADLINE);
        // SAFETY: the status is written to a valid place.
        unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) == child }
    });
    assert_eq!(status, 0);
    assert!(piped.is_alive());
    assert_eq!(piped.result(DEADLINE).unwrap(), "");
    assert!(process.join(DEADLINE));
}

fn read_line() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_or_else(|error| error.to_string(), |_| line)
}

#[test]
fn processes_leave_nothing_behind() {
    programs::succeeds("leaves_no_trace", &[]);
}

/// (`test_child_fd_inflation`)
pub fn leaves_no_trace() {
    let fine = |n: u64| n + 1;
    Process::spawn(fine, 1).unwrap().result(DEADLINE).unwrap();
    wait_until("the first process to be gone", || children().is_empty());
    let (files, running) = (open_descriptors(), threads());
    for round in 0..50 {
        let process = Process::builder().stdin(Stdio::Piped).stderr(Stdio::Piped).spawn(fine, round).unwrap();
        assert_eq!(process.result(DEADLINE).unwrap(), round + 1);
        let _ = Process::spawn(|()| -> () { std::process::abort() }, ()).unwrap().result(DEADLINE).unwrap_err();
        drop(Process::builder().daemon(true).spawn(fine, 1).unwrap());
    }
    wait_until("the processes to be gone", || children().is_empty());
    wait_until("the descriptors to be closed", || open_descriptors() <= files);
    // The thread of callbacks starts with the first process whose failure no one has read.
    // A thread is in the list for a moment after it was joined, and no event tells when it is removed.
    wait_until("the threads to be gone", || threads() <= running + 1);
}
