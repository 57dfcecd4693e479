//! Systems that do not give what is asked for.

use std::{fs, os::unix::process::CommandExt as _, process::Command};

use process_pool::Transport;

use super::{BOTH, end_if_it_hangs, is_root, use_a_pool_if_there_is_enough};
use crate::programs;

/// Tries a pool on each transport with each of these limits, and says what it came to: how often it worked, how often
/// not.
#[allow(unsafe_code)]
fn with_each_limit(resource: libc::__rlimit_resource_t, limits: impl IntoIterator<Item = u64>) -> [[u32; 2]; 2] {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written to a valid place.
    assert_eq!(unsafe { libc::getrlimit(resource, &mut before) }, 0);
    let mut counts = [[0; 2]; 2];
    for limit in limits {
        let limit = libc::rlimit { rlim_cur: limit, rlim_max: before.rlim_max };
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
    resource: libc::__rlimit_resource_t,
    limit: &libc::rlimit,
    before: &libc::rlimit,
    transport: Transport,
) -> Result<(), executor_core::Error> {
    let set = |limit: &libc::rlimit| {
        // SAFETY: the limit is read from a valid place.
        assert_eq!(unsafe { libc::setrlimit(resource, limit) }, 0);
    };
    set(limit);
    let lifted = Lifted(&|| set(before));
    let result = use_a_pool_if_there_is_enough(transport);
    drop(lifted);
    result
}

/// Lifts the limit again, also for what is said of a failure.
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
    end_if_it_hangs();
    // The counting of what is left behind needs two itself.
    for [worked, refused] in with_each_limit(libc::RLIMIT_NOFILE, 5..=60) {
        assert!(worked > 20, "40 are enough for two workers");
        assert!(refused > 3, "the limit holds");
    }
}

#[test]
fn with_few_processes_a_pool_works_or_is_an_error() {
    let output = as_no_root("few_processes").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}", output.status);
    println!("{said}");
}

pub fn few_processes() {
    end_if_it_hangs();
    let counts = with_each_limit(libc::RLIMIT_NPROC, (1..=16).chain([4096]));
    assert!(counts.iter().all(|[_, refused]| *refused > 3), "the limit holds");
}

#[test]
fn with_little_memory_a_pool_works_or_is_an_error() {
    programs::succeeds("little_memory", &[]);
}

/// What is refused is what the system is asked for: threads, shared memory, other processes. Where an allocation fails,
/// a Rust program ends, so this one has enough on its heap.
pub fn little_memory() {
    end_if_it_hangs();
    have_a_large_heap();
    let pages = fs::read_to_string("/proc/self/statm").unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
    let now = pages * 4096;
    with_each_limit(libc::RLIMIT_AS, (0..=12).map(|power| now + (1 << (18 + power))));
}

/// Takes memory from the system, and keeps it for all later allocations of all threads.
#[allow(unsafe_code)]
fn have_a_large_heap() {
    #[cfg(target_env = "gnu")]
    for (option, value) in
        [(libc::M_ARENA_MAX, 1), (libc::M_MMAP_THRESHOLD, 1 << 30), (libc::M_TRIM_THRESHOLD, 1 << 30)]
    {
        // SAFETY: it sets options of the allocator, which answers 1 if they are good.
        assert_eq!(unsafe { libc::mallopt(option, value) }, 1);
    }
    drop(std::hint::black_box(vec![1_u8; 64 << 20]));
}

/// Lifts the limit on threads when it is dropped.
pub struct NoMoreThreads(libc::rlimit);

/// From here on no thread and no process can be started, unless by root.
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

/// A program that root runs as somebody else, because limits do not hold for root. This user has no other processes, so
/// the counts are what they seem.
pub fn as_no_root(program: &str) -> Command {
    let mut command = programs::command(program);
    if is_root() {
        command.uid(50_000 + std::process::id() % 10_000);
    }
    command
}

/// For limits that were set before this program was started.
pub fn uses_pools_or_is_told() {
    end_if_it_hangs();
    let outcomes = BOTH.map(|transport| use_a_pool_if_there_is_enough(transport).err().map(|error| error.to_string()));
    println!("pools: {outcomes:?}");
}
