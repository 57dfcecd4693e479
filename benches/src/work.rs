//! The jobs, which are the same for every contender.

use std::{hint::black_box, marker::PhantomData, path::Path, thread, time::Duration};

use concurrent_futures::Payload;

/// A function as a type, for interfaces that take function pointers, closures, or functions that capture nothing.
pub trait Job: 'static {
    /// The argument.
    type Input: Payload;
    /// The result.
    type Output: Payload;

    /// Does the work.
    fn run(input: Self::Input) -> Self::Output;
}

/// Adds one, so that the cost of a task is the cost of the pool.
#[derive(Debug)]
pub struct AddOne;

impl Job for AddOne {
    type Input = u64;
    type Output = u64;

    fn run(n: u64) -> u64 {
        n + 1
    }
}

/// Runs a number of rounds of arithmetic. Work for a given time would hide disturbances.
#[derive(Debug)]
pub struct Spin;

impl Job for Spin {
    type Input = u64;
    type Output = u64;

    fn run(rounds: u64) -> u64 {
        spin(rounds, rounds)
    }
}

/// Rounds of [`spin`] that take about twenty nanoseconds on a processor of three to four gigahertz.
pub const SHORT_ROUNDS: u64 = 27;

/// Works on a number for about twenty nanoseconds.
pub fn short(n: u64) -> u64 {
    spin(SHORT_ROUNDS, n)
}

/// Runs rounds of a xorshift generator: six instructions, each of which depends on the previous one.
pub fn spin(rounds: u64, seed: u64) -> u64 {
    // `black_box` keeps the compiler from vectorising over several items.
    let mut state = black_box(seed | 1);
    for _ in 0..rounds {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state)
}

/// Returns its argument.
#[derive(Debug)]
pub struct Echo<T>(PhantomData<T>);

impl<T: Payload> Job for Echo<T> {
    type Input = T;
    type Output = T;

    fn run(value: T) -> T {
        value
    }
}

/// Aborts its process.
#[derive(Debug)]
pub struct Abort;

impl Job for Abort {
    type Input = u64;
    type Output = u64;

    fn run(_: u64) -> u64 {
        std::process::abort()
    }
}

/// Keeps a worker busy until a file is removed, in any process.
#[derive(Debug)]
pub struct Blocked;

impl Job for Blocked {
    type Input = String;
    type Output = u64;

    fn run(path: String) -> u64 {
        while Path::new(&path).exists() {
            thread::sleep(Duration::from_millis(10));
        }
        0
    }
}
