//! The world around a pool. Whatever a host, its user or its system does: a pool works, or says in a typed error why
//! not.
//!
//! It never hangs, panics, starts processes without end, or harms what is not its own.

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

/// What the tests in here run as processes of their own.
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
        "uses_pools_or_is_told" => scarcity::uses_pools_or_is_told,
        "leaves_no_corpses" => reapers::leaves_no_corpses,
        "reaps_in_a_handler" => reapers::reaps_in_a_handler,
        "reaps_in_a_thread" => reapers::reaps_in_a_thread,
        "has_a_child_with_the_number_of_a_worker" => reapers::has_a_child_with_the_number_of_a_worker,
        "has_odd_signals" => signals::has_odd_signals,
        "has_a_standard_error_that_nobody_reads" => signals::has_a_standard_error_that_nobody_reads,
        "has_pools_at_work" => signals::has_pools_at_work,
        "is_interrupted_all_the_time" => signals::is_interrupted_all_the_time,
        _ => return None,
    })
}

pub const BOTH: [Transport; 2] = [Transport::Ring, Transport::Socket];

/// Uses pools for what they are for.
fn uses_pools() {
    for transport in BOTH {
        use_a_pool(transport).expect("a pool that works");
    }
    println!("the pools work");
}

/// Uses a pool for what it is for: results, large ones too, a crash and its replacement. Answers the first error that
/// is not the task's own, and finds nothing left behind either way.
fn use_a_pool(transport: Transport) -> Result<(), Error> {
    use_a_pool_with(transport, 1 << 20)
}

/// As [`use_a_pool`], with so many bytes as an argument and as a result.
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
    // A thread is in the list for a moment after it was joined, and no event tells when it is not.
    let deadline = Instant::now() + DEADLINE;
    while left() != before && Instant::now() < deadline {
        thread::yield_now();
    }
    assert_eq!(left(), before, "something is left behind by {transport:?} after {result:?}");
    result
}

/// As [`use_a_pool`]; an error may come, if it is one of those that say that the system has refused something.
fn use_a_pool_if_there_is_enough(transport: Transport) -> Result<(), Error> {
    // More than fits into a ring. Where memory for a mere argument is missing, the program ends, as all programs do.
    let result = use_a_pool_with(transport, 300 << 10);
    if let Err(error) = &result {
        let kinds = [ErrorKind::Other, ErrorKind::Broken, ErrorKind::WorkerDied];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        assert!(!error.to_string().contains("error in the library"), "{error}");
    }
    result
}

/// Says that something could not be tried here, also where the harness keeps what tests print to itself.
pub fn skip(what: &str, why: &str) {
    let _ = writeln!(io::stderr(), "skipped: {what}: {why}");
}

/// A variable that a test has set for its program.
pub fn told(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is set"))
}

/// Ends a program that hangs, so that its test fails with the signal, and names it. As the rules of conformance, it
/// waits longer where everything is slower.
#[allow(unsafe_code)]
pub fn end_if_it_hangs() {
    let scale = env::var("CONFORMANCE_SCALE").ok().and_then(|scale| scale.parse::<u32>().ok()).unwrap_or(1);
    // SAFETY: a system call without pointers; nobody handles the signal.
    unsafe { libc::alarm(DEADLINE.as_secs() as u32 * scale) };
}

#[allow(unsafe_code)]
pub fn is_root() -> bool {
    // SAFETY: a system call without arguments.
    unsafe { libc::geteuid() == 0 }
}
