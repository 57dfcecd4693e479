//! Systems that refuse resources.

use std::{fs, os::unix::process::CommandExt as _, process::Command};

use process_pool::Transport;

use super::{BOTH, end_at_the_deadline, is_root, use_a_pool_or_fail_cleanly};
use crate::programs;

/// The type of the names of limits, which differs between C libraries.
#[cfg(target_env = "gnu")]
pub type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
pub type Resource = libc::c_int;

/// Uses a pool on each transport under each of these limits. Returns how often it worked and how often it failed.
#[allow(unsafe_code)]
fn with_each_limit(resource: Resource, limits: impl IntoIterator<Item = u64>) -> [[u32; 2]; 2] {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written to a valid place.
    assert_eq!(unsafe { libc::getrlimit(resource, &mut before) }, 0);
    let mut counts = [[0; 2]; 2];
    for limit in limits {
        let limit = libc::rlimit { rlim_cur: limit as libc::rlim_t, rlim_max: before.rlim_max };
        for (transport, counts) in BOTH.into_iter().zip(&mut counts) {
            let result = limited(resource, &limit, &before, transport);
            let text = result.as_ref().err().map_or("works".to_string(), ToString::to_string);
            println!("with {} on {transport:?}: {text}", limit.rlim_cur);
            counts[usize::from(result.is_err())] += 1;
        }
    }
    println!("worked and refused: {counts:?}");
    counts
}

#[allow(unsafe_code)]
fn limited(
    resource: Resource,
    limit: &libc::rlimit,
    before: &libc::rlimit,
    transport: Transport,
) -> Result<(), executor_core::Error> {
    let set = |limit: &libc::rlimit| {
        // SAFETY: the limit is read from a valid place.
        assert_eq!(unsafe { libc::setrlimit(resource, limit) }, 0);
    };
    set(limit);
    let lift = || set(before);
    let lifted = Lifted(&lift);
    let result = use_a_pool_or_fail_cleanly(transport);
    drop(lifted);
    result
}

/// Lifts the limit when it is dropped, even if a check panics.
struct Lifted<'a>(&'a dyn Fn());

impl Drop for Lifted<'_> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn with_few_descriptors_a_pool_works_or_is_an_error() {
    programs::succeeds("few_descriptors", &[]);
}

pub fn few_descriptors() {
    end_at_the_deadline();
    // The check for resources needs two descriptors itself.
    for [worked, refused] in with_each_limit(libc::RLIMIT_NOFILE, 5..=60) {
        assert!(worked > 20, "40 are enough for two workers");
        assert!(refused > 3, "the limit holds");
    }
}

#[test]
fn with_few_processes_a_pool_works_or_is_an_error() {
    let output = as_no_root("few_processes").output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{text}", output.status);
    println!("{text}");
}

pub fn few_processes() {
    end_at_the_deadline();
    let counts = with_each_limit(libc::RLIMIT_NPROC, (1..=16).chain([4096]));
    assert!(counts.iter().all(|[_, refused]| *refused > 3), "the limit holds");
}

#[test]
fn with_little_memory_a_pool_works_or_is_an_error() {
    programs::succeeds("little_memory", &[]);
}

/// The system refuses threads, shared memory and processes. A Rust program ends if an allocation fails, so this one has
/// enough memory on its heap.
pub fn little_memory() {
    end_at_the_deadline();
    have_a_large_heap();
    let pages = fs::read_to_string("/proc/self/statm").unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
    let now = pages * 4096;
    with_each_limit(libc::RLIMIT_AS, (0..=12).map(|power| now + (1 << (18 + power))));
}

/// Gets memory from the system and keeps it for later allocations of all threads.
#[allow(unsafe_code)]
fn have_a_large_heap() {
    #[cfg(target_env = "gnu")]
    for (option, value) in
        [(libc::M_ARENA_MAX, 1), (libc::M_MMAP_THRESHOLD, 1 << 30), (libc::M_TRIM_THRESHOLD, 1 << 30)]
    {
        // SAFETY: it sets options of the allocator, which returns 1 if they are valid.
        assert_eq!(unsafe { libc::mallopt(option, value) }, 1);
    }
    drop(std::hint::black_box(vec![1_u8; 64 << 20]));
}

/// Lifts the limit on threads when it is dropped.
pub struct NoMoreThreads(libc::rlimit);

/// Lets the system refuse new threads and processes, unless this program runs as root.
#[allow(unsafe_code)]
pub fn no_more_threads() -> NoMoreThreads {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written to a valid place.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &mut before) }, 0);
    let none = libc::rlimit { rlim_cur: 1, rlim_max: before.rlim_max };
    // SAFETY: the limit is read from a valid place.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &none) }, 0);
    NoMoreThreads(before)
}

impl Drop for NoMoreThreads {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &self.0) }, 0);
    }
}

/// Returns the command that runs a program as another user, if this is root, which has no limits. The user has no other
/// processes, which would count.
pub fn as_no_root(program: &str) -> Command {
    let mut command = programs::command(program);
    if is_root() {
        command.uid(50_000 + std::process::id() % 10_000);
    }
    command
}

/// Uses pools under limits that were set before this program started.
pub fn uses_pools_or_fails_cleanly() {
    end_at_the_deadline();
    let outcomes = BOTH.map(|transport| use_a_pool_or_fail_cleanly(transport).err().map(|error| error.to_string()));
    println!("pools: {outcomes:?}");
}
