//! Python: `Pool(3)`, and `apply_async` with a `callback` for results and an `error_callback` for exceptions.

use concurrent_futures::{Error, Executor, ProcessPoolExecutor, ReturnWhen, wait};

fn half(n: u64) -> u64 {
    assert!(n % 2 == 0, "{n} is odd");
    n / 2
}

pub fn run() -> Result<(), Error> {
    let pool = ProcessPoolExecutor::new(3)?;
    let mut halves = Vec::new();
    for n in 0..4 {
        let result = pool.submit(half, n)?;
        result.add_result_callback(move |result| match result {
            Ok(half) => println!("callback: half of {n} is {half}"),
            Err(error) => println!("error_callback: {}", error.panic().map_or("no panic", |panic| panic.message())),
        });
        halves.push(result);
    }
    let waited = wait(&halves, None, ReturnWhen::AllCompleted);
    // The callbacks have left the results.
    let sum: u64 = waited.done.iter().filter_map(|half| half.result(None).ok()).sum();
    println!("sum: {sum}");
    Ok(())
}
