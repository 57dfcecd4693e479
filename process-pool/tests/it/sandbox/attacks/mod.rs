//! Attempts to get out of a sandbox, each with its control outside of it.
//!
//! An attempt is a function that runs in a worker and returns what it got. It must succeed in a worker without a
//! sandbox, or its row is skipped, which is printed: otherwise it would prove nothing. Rows are added to one of the
//! lists, and nothing else is to be done for them: each runs without a sandbox, and with each refusal, as root and as
//! an ordinary user, and over both transports.
#![allow(unsafe_code, clippy::macro_metavars_in_unsafe)]

mod descriptors;
mod files;
mod kernel;
mod memory;
mod network;
mod outsider;
mod processes;
mod world;

use std::{collections::BTreeMap, fmt::Write as _, io};

use executor_core::{Error, ErrorKind, Executor};
use process_pool::{ProcessPoolExecutor, Refusal, Sandbox, Transport};
use serde::{Deserialize, Serialize};

use crate::{
    programs,
    support::{builder, get},
};
pub use files::path;
pub use outsider::find;
pub use world::World;

/// What an attempt got, or the error with which it was refused.
pub type Got = Result<String, i32>;

/// What a sandbox must reply to an attempt. Whatever it is, the attempt must get nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `EPERM`, and with `Refusal::Kill` the end of the worker, whose error names the call.
    Refused,
    /// This error, even with `Refusal::Kill`.
    Fails(i32),
    /// One of the errors with which a sandbox refuses, or with `Refusal::Kill` the end of the worker.
    Stopped,
    /// Any error, or any end of the worker.
    Nothing,
    /// The end of the worker in every mode.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // Other processors have no calls of another kind.
    Dies,
}

/// A row of the table.
pub struct Attempt {
    pub name: &'static str,
    pub run: fn(&World) -> Got,
    pub reply: Reply,
}

/// Returns all attempts.
fn attempts() -> Vec<Attempt> {
    let lists = [
        files::ATTEMPTS,
        processes::ATTEMPTS,
        network::ATTEMPTS,
        memory::ATTEMPTS,
        descriptors::ATTEMPTS,
        kernel::ATTEMPTS,
    ];
    [lists.concat(), outsider::attempts()].concat()
}

impl Clone for Attempt {
    fn clone(&self) -> Attempt {
        Attempt { ..*self }
    }
}

/// Makes a system call.
#[macro_export]
macro_rules! system_call {
    ($number:expr $(, $argument:expr)* $(,)?) => {{
        // SAFETY: each attempt passes what its call expects, or what the kernel refuses.
        let result = unsafe { libc::syscall($number as libc::c_long $(, $argument)*) };
        if result == -1 { Err($crate::sandbox::attacks::errno()) } else { Ok(result) }
    }};
}

pub fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(-1)
}

/// Returns what a call got.
pub fn got(result: Result<i64, i32>) -> Got {
    result.map(|value| format!("{value}"))
}

/// Counts it as a success if the kernel came as far as looking at arguments that are wrong on purpose, because the
/// right ones would do harm in the control.
pub fn reaches(result: Result<i64, i32>) -> Got {
    match result {
        Err(error @ (libc::EPERM | libc::EACCES | libc::ENOSYS)) => Err(error),
        Err(error) => Ok(format!("the kernel looks at its arguments (error {error})")),
        Ok(value) => Ok(format!("{value}")),
    }
}

pub fn from_io<T>(result: io::Result<T>) -> Got {
    match result {
        Ok(_) => Ok("done".into()),
        Err(error) => Err(error.raw_os_error().unwrap_or(-1)),
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Outcome {
    Got(String),
    Failed(i32),
    /// The worker died by this signal, and named this call.
    Died(Option<i32>, Option<String>),
    Other(String),
}

fn run(pool: &ProcessPoolExecutor, row: usize, world: &World) -> Outcome {
    let attempt = |(row, world): (usize, World)| (attempts()[row].run)(&world);
    outcome_of(pool.submit(attempt, (row, world.clone())).and_then(|future| get(&future)))
}

/// Returns how a task ended.
fn outcome_of(result: Result<Got, Error>) -> Outcome {
    match result {
        Ok(Ok(got)) => Outcome::Got(got),
        Ok(Err(error)) => Outcome::Failed(error),
        Err(error) if error.kind() == ErrorKind::WorkerDied => died(&error),
        Err(error) => Outcome::Other(error.to_string()),
    }
}

fn died(error: &Error) -> Outcome {
    let death = error.worker_death();
    let signal = death.and_then(executor_core::WorkerDeath::signal);
    Outcome::Died(signal, death.and_then(|death| death.refused().map(String::from)))
}

/// Returns `true` if the sandbox has replied to an attempt as it must.
fn is_right(reply: Reply, refusal: Refusal, outcome: &Outcome) -> bool {
    match (reply, outcome) {
        (_, Outcome::Got(_) | Outcome::Other(_)) => false,
        (Reply::Nothing, _) => true,
        // `EXDEV` is what Landlock returns if a file would come into another directory.
        (Reply::Stopped, Outcome::Failed(libc::EPERM | libc::EACCES | libc::ENOSYS | libc::EXDEV)) => true,
        (Reply::Stopped, Outcome::Died(Some(libc::SIGSYS), Some(_))) => refusal == Refusal::Kill,
        (Reply::Stopped, _) => false,
        (Reply::Dies, outcome) => matches!(outcome, Outcome::Died(Some(libc::SIGSYS), _)),
        (Reply::Fails(expected), outcome) => outcome == &Outcome::Failed(expected),
        (Reply::Refused, Outcome::Died(Some(libc::SIGSYS), Some(_))) => refusal == Refusal::Kill,
        (Reply::Refused, Outcome::Failed(libc::EPERM)) => refusal != Refusal::Kill,
        (Reply::Refused, _) => false,
    }
}

fn pool(transport: Transport, sandbox: Option<Refusal>) -> ProcessPoolExecutor {
    let builder = builder(transport, 1);
    let builder = match sandbox {
        Some(refusal) => builder.sandbox(Sandbox::compute().on_refusal(refusal).inherit_env("TEST_OUTPUT")),
        None => builder,
    };
    builder.build().expect("this system can keep it")
}

/// Makes all attempts in all ways, and panics if any of them got something.
fn attack(transport: Transport) {
    let world = World::new();
    let attempts = attempts();
    let control = pool(transport, None);
    let mut skipped = BTreeMap::new();
    for (row, attempt) in attempts.iter().enumerate() {
        match run(&control, row, &world) {
            Outcome::Got(_) => {}
            outcome => _ = skipped.insert(row, format!("{}: {outcome:?}", attempt.name)),
        }
    }
    drop(control);
    let mut wrong = String::new();
    for refusal in [Refusal::Error, Refusal::Explain, Refusal::Kill] {
        let pool = pool(transport, Some(refusal));
        world.reset();
        for (row, attempt) in attempts.iter().enumerate().filter(|(row, _)| !skipped.contains_key(row)) {
            let outcome = run(&pool, row, &world);
            if !is_right(attempt.reply, refusal, &outcome) {
                let expected = attempt.reply;
                let _ = writeln!(wrong, "{refusal:?}, {}: {outcome:?}, not {expected:?}", attempt.name);
            }
            if let Err(harm) = world.check() {
                let _ = writeln!(wrong, "{refusal:?}, {}: {harm}", attempt.name);
            }
        }
        let answer = pool.submit(|n: u64| n + 1, 41).and_then(|future| get(&future));
        assert_eq!(answer.expect("the pool goes on"), 42);
    }
    let made = attempts.len() - skipped.len();
    println!("{transport:?}: {made} attempts of {} were made", attempts.len());
    for text in skipped.values() {
        println!("SKIPPED, because it fails without a sandbox, too: {text}");
    }
    assert!(wrong.is_empty(), "{transport:?}: some attempts were not refused as they must be:\n{wrong}");
    assert!(made * 2 > attempts.len(), "most controls must succeed");
}

/// Makes attempts over both transports.
pub fn over_both_transports(attack: fn(Transport)) {
    for transport in [Transport::Ring, Transport::Socket] {
        attack(transport);
    }
}

/// The program that attacks over both transports.
pub fn attacks() {
    over_both_transports(attack);
}

/// The same as an ordinary user.
pub fn attacks_as_nobody() {
    become_nobody();
    attacks();
}

/// Makes this process one of an ordinary user.
pub fn become_nobody() {
    const NOBODY: u32 = 65534;
    // SAFETY: system calls without pointers, in a program that has one thread that does anything.
    unsafe {
        assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
        assert_eq!(libc::setresgid(NOBODY, NOBODY, NOBODY), 0);
        assert_eq!(libc::setresuid(NOBODY, NOBODY, NOBODY), 0);
    }
    // A change of the user makes the parent unreadable, and then the controls would fail.
    // SAFETY: as above.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
}

/// Runs a program of these tests that makes itself one of an ordinary user.
pub fn succeeds_as_nobody(program: &str) {
    // SAFETY: a system call without arguments.
    if unsafe { libc::geteuid() } != 0 {
        return println!("SKIPPED: only root can become another user");
    }
    print!("{}", programs::succeeds(program, &[]));
}

#[test]
fn no_attempt_gets_out() {
    print!("{}", programs::succeeds("attacks_the_sandbox", &[]));
}

#[test]
fn no_attempt_of_an_ordinary_user_gets_out() {
    succeeds_as_nobody("attacks_the_sandbox_as_nobody");
}
