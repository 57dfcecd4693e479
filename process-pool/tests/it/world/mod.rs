//! Unusual hosts and systems. A pool works there or returns a typed error.
//!
//! It never hangs, panics, starts processes without end, or affects other processes and descriptors.

mod descriptors;
mod environment;
mod forks;
mod image;
mod inherited;
mod markers;
mod reapers;
pub mod scarcity;
mod signals;

use std::{
    env,
    io::{self, Write as _},
    thread,
    time::Instant,
};

use executor_core::{Error, ErrorKind, Executor};
use process_pool::Transport;

use super::support::{DEADLINE, builder, children, get, open_descriptors, threads};

/// Finds a program of these tests.
pub fn find(program: &str) -> Option<fn()> {
    Some(match program {
        "uses_pools" => uses_pools,
        "has_no_environment" => environment::has_no_environment,
        "has_too_much_environment" => environment::has_too_much_environment,
        "lost_its_directory" => environment::lost_its_directory,
        "has_odd_file_systems" => environment::has_odd_file_systems,
        "changes_its_file" => image::changes_its_file,
        "outlives_its_file" => image::outlives_its_file,
        "has_closed_descriptors" => descriptors::has_closed_descriptors,
        "leaves_descriptors_open" => inherited::leaves_descriptors_open,
        "leaves_numbers_that_libraries_use" => inherited::leaves_numbers_that_libraries_use,
        "passes_descriptors_on" => inherited::passes_descriptors_on,
        "sends_a_greeting" => markers::sends_a_greeting,
        "starts_in_another_namespace" => markers::starts_in_another_namespace,
        "starts_other_programs" => descriptors::starts_other_programs,
        "forks_while_others_submit" => forks::forks_while_others_submit,
        "few_descriptors" => scarcity::few_descriptors,
        "few_processes" => scarcity::few_processes,
        "little_memory" => scarcity::little_memory,
        "uses_pools_or_fails_cleanly" => scarcity::uses_pools_or_fails_cleanly,
        "has_no_zombies" => reapers::has_no_zombies,
        "reaps_in_a_handler" => reapers::reaps_in_a_handler,
        "reaps_in_a_thread" => reapers::reaps_in_a_thread,
        "has_a_child_with_the_id_of_a_dead_worker" => reapers::has_a_child_with_the_id_of_a_dead_worker,
        "has_odd_signals" => signals::has_odd_signals,
        "has_an_unread_standard_error" => signals::has_an_unread_standard_error,
        "has_pools_at_work" => signals::has_pools_at_work,
        "is_interrupted_constantly" => signals::is_interrupted_constantly,
        _ => return None,
    })
}

pub const BOTH: [Transport; 2] = [Transport::Ring, Transport::Socket];

/// Uses a pool on each transport.
fn uses_pools() {
    for transport in BOTH {
        use_a_pool(transport).expect("a pool that works");
    }
    println!("the pools work");
}

/// Uses a pool for small and large results, and for a crash and its replacement. Returns the first error that is not
/// that of a task, and checks that nothing is left behind.
fn use_a_pool(transport: Transport) -> Result<(), Error> {
    use_a_pool_with(transport, 1 << 20)
}

/// Does the same as [`use_a_pool`], with this size of the large argument and result.
fn use_a_pool_with(transport: Transport, bytes: usize) -> Result<(), Error> {
    fn echoes(text: String) -> String {
        text
    }
    fn dies(_: u32) -> u32 {
        std::process::abort()
    }
    let before = (children(), open_descriptors(), threads());
    let result = (|| {
        let pool = builder(transport, 2).build()?;
        let large = "7".repeat(bytes);
        let futures: Vec<_> = (0..20_u32).map(|n| pool.submit(|n: u32| n + 1, n)).collect::<Result<_, Error>>()?;
        for (n, future) in futures.iter().enumerate() {
            assert_eq!(get(future)?, n as u32 + 1);
        }
        assert!(get(&pool.submit(echoes, large.clone())?)? == large);
        let error = get(&pool.submit(dies, 1)?).expect_err("it aborts");
        if error.kind() != ErrorKind::WorkerDied {
            return Err(error);
        }
        for n in 0..4 {
            assert_eq!(get(&pool.submit(|n: u32| n + 1, n)?)?, n + 1);
        }
        Ok(())
    })();
    let left = || (children(), open_descriptors(), threads());
    let is_clean = |left: &(_, usize, usize)| left.0 == before.0 && left.1 <= before.1 && left.2 <= before.2;
    // A thread is in the list for a moment after it was joined, and no event tells when it is removed. So there may be
    // fewer than before, too.
    let deadline = Instant::now() + DEADLINE;
    while !is_clean(&left()) && Instant::now() < deadline {
        thread::yield_now();
    }
    let left = left();
    assert!(is_clean(&left), "{left:?} instead of {before:?} is left by {transport:?} after {result:?}");
    result
}

/// Does the same as [`use_a_pool`], and accepts errors of a system that refuses a resource.
fn use_a_pool_or_fail_cleanly(transport: Transport) -> Result<(), Error> {
    // This is more than a ring holds. Less is better, because a program ends if the allocation of an argument fails.
    let result = use_a_pool_with(transport, 300 << 10);
    if let Err(error) = &result {
        let kinds = [ErrorKind::Other, ErrorKind::Broken, ErrorKind::WorkerDied];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        assert!(!error.to_string().contains("error in the library"), "{error}");
    }
    result
}

/// Prints that a test is skipped, even if the harness captures the output of tests.
pub fn skip(what: &str, why: &str) {
    let _ = writeln!(io::stderr(), "skipped: {what}: {why}");
}

/// Returns a variable that a test has set for its program.
pub fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is set"))
}

/// Ends this program with a signal at the deadline, so that its test fails. `CONFORMANCE_SCALE` extends the deadline,
/// as it does for the rules of `conformance`.
#[allow(unsafe_code)]
pub fn end_at_the_deadline() {
    // SAFETY: a system call without pointers, and the signal has no handler.
    unsafe { libc::alarm(DEADLINE.as_secs() as u32 * test_support::scale()) };
}

#[allow(unsafe_code)]
pub fn is_root() -> bool {
    // SAFETY: a system call without arguments.
    unsafe { libc::geteuid() == 0 }
}
