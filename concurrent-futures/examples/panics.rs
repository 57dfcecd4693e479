//! What a panic costs in a program that unwinds, and in one that does not:
//!
//! ```text
//! cargo run --example panics
//! cargo run --example panics --config 'profile.dev.panic="abort"'
//! ```
//!
//! On a process pool a panic fails its own task in both, even if the task has come with others in a chunk of a map.
//! With `panic = "abort"` it also ends the worker, which is replaced, and the error is that of a worker that died by
//! `SIGABRT`, with the message of the panic in its last lines. In a thread of the program itself it ends the program.

use concurrent_futures::{Error, Executor, ProcessPoolExecutor};

/// The number of `SIGABRT` on every Unix.
const ABORTED: i32 = 6;

fn half(number: u64) -> u64 {
    assert!(number % 2 == 0, "{number} has no half");
    number / 2
}

/// Returns `true` if the error is about this panic, in the form that this program must give it.
fn is_panic(error: &Error, message: &str) -> bool {
    if cfg!(panic = "abort") {
        let death = error.worker_death();
        death.is_some_and(|death| death.signal() == Some(ABORTED) && death.stderr_tail().contains(message))
    } else {
        error.panic().is_some_and(|panic| panic.message() == message)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = ProcessPoolExecutor::new(2)?;
    for (number, result) in (0..6).zip(pool.map(half, 0..6)?) {
        match result {
            Ok(half) => println!("half of {number} is {half}"),
            Err(error) if is_panic(&error, &format!("{number} has no half")) => println!("{error}"),
            Err(error) => return Err(format!("this is not the panic of {number}: {error}").into()),
        }
    }
    println!("the pool goes on: half of 84 is {}", pool.submit(half, 84)?.result(None)?);
    Ok(())
}
