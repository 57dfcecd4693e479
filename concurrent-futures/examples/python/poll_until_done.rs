//! Python: `ThreadPoolExecutor` or `ProcessPoolExecutor` by one changed line; some futures are cancelled; a loop polls
//! `done` until all are; `shutdown`.

use std::{thread, time::Duration};

use concurrent_futures::{Backend, Error, Executor, Future, ProcessPoolExecutor, Shutdown, ThreadPoolExecutor};

fn square(n: u64) -> u64 {
    thread::sleep(Duration::from_millis(5));
    n * n
}

fn squares(executor: &dyn Backend) -> Result<(), Error> {
    let futures = (0..5).map(|n| executor.submit(square, n)).collect::<Result<Vec<Future<u64>>, _>>()?;
    // A task that has started cannot be cancelled.
    let cancelled = futures[4].cancel();
    while !futures.iter().all(Future::done) {
        thread::sleep(Duration::from_millis(1));
    }
    for (n, future) in futures.iter().enumerate().take(4) {
        println!("the square of {n} is {}", future.result(None)?);
    }
    println!("the last one was cancelled or is done: {}", cancelled == futures[4].cancelled());
    executor.shutdown(Shutdown::Drain);
    Ok(())
}

pub fn run() -> Result<(), Error> {
    squares(&ThreadPoolExecutor::new(1)?)?;
    squares(&ProcessPoolExecutor::new(1)?)
}
