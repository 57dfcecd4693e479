//! One job, three executors: `cargo run --example swap -- inline|threads|processes`.
//!
//! The argument chooses the executor. `longest_walk` is the same for all of them. A task in a worker process does not
//! have what `main` has set up before; `docs/workers.md` lists that, and what to do.

use concurrent_futures::{Backend, Error, Executor, InlineExecutor, ProcessPoolExecutor, ThreadPoolExecutor};

/// Returns how many steps `start` needs to reach 1: even numbers are halved, odd ones become 3n + 1.
fn steps(start: u64) -> u64 {
    let next = |n: &u64| (*n > 1).then(|| if n % 2 == 0 { n / 2 } else { 3 * n + 1 });
    std::iter::successors(Some(start), next).count() as u64 - 1
}

/// Returns the longest walk in a range. A task takes a range, because a single number is too little work for a task.
fn longest_in((first, last): (u64, u64)) -> (u64, u64) {
    (first..=last).map(|start| (steps(start), start)).max().unwrap_or_default()
}

/// Returns the longest walk of all ranges, on any executor: `map` distributes the ranges and yields the results in
/// order.
fn longest_walk(executor: &dyn Backend) -> Result<(u64, u64), Error> {
    let ranges = (0..100).map(|n| (n * 3_000 + 1, (n + 1) * 3_000));
    let mut longest = (0, 0);
    for result in executor.map(longest_in, ranges)? {
        longest = longest.max(result?);
    }
    Ok(longest)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "threads".to_owned());
    let executor: Box<dyn Backend> = match name.as_str() {
        "inline" => Box::new(InlineExecutor::new()),
        "threads" => Box::new(ThreadPoolExecutor::new(4)?),
        "processes" => Box::new(ProcessPoolExecutor::new(4)?),
        other => {
            return Err(format!("`{other}` is not an executor: choose inline, threads or processes").into());
        }
    };
    let (steps, start) = longest_walk(&*executor)?;
    println!("{name}: of all numbers up to 300,000, {start} takes the most steps to 1: {steps}");
    Ok(())
}
