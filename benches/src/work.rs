//! The work, which is the same for everybody.

use std::{hint::black_box, marker::PhantomData, path::Path, thread, time::Duration};

use concurrent_futures::Payload;

/// A function as a type, so that it can be given to those who take function pointers, those who take closures, and
/// those who want functions that capture nothing.
pub trait Job: 'static {
    /// What it takes.
    type Input: Payload;
    /// What it answers.
    type Output: Payload;

    /// Does the work.
    fn run(input: Self::Input) -> Self::Output;
}

/// As little as possible, so that what is measured is the way there and back.
#[derive(Debug)]
pub struct AddOne;

impl Job for AddOne {
    type Input = u64;
    type Output = u64;

    fn run(n: u64) -> u64 {
        n + 1
    }
}

/// So many rounds of arithmetic. Counted, not timed: work that watches the clock takes no longer when it is disturbed.
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

/// About twenty nanoseconds of work on a number.
pub fn short(n: u64) -> u64 {
    spin(SHORT_ROUNDS, n)
}

/// Rounds of a xorshift generator: six instructions, each of which needs the one before it.
pub fn spin(rounds: u64, seed: u64) -> u64 {
    // Opaque on the way in, so that nothing is computed for several items at once.
    let mut state = black_box(seed | 1);
    for _ in 0..rounds {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state)
}

/// Answers what it is given.
#[derive(Debug)]
pub struct Echo<T>(PhantomData<T>);

impl<T: Payload> Job for Echo<T> {
    type Input = T;
    type Output = T;

    fn run(value: T) -> T {
        value
    }
}

/// Takes its process down.
#[derive(Debug)]
pub struct Abort;

impl Job for Abort {
    type Input = u64;
    type Output = u64;

    fn run(_: u64) -> u64 {
        std::process::abort()
    }
}

/// Keeps a worker busy until a file is gone, by which any process can be told to go on.
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
