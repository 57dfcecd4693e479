//! Python: `with ProcessPoolExecutor(3) as executor`, which waits for its tasks at the end of the block.

use concurrent_futures::{Error, Executor, ProcessPoolExecutor, as_completed};

fn is_prime(n: u64) -> bool {
    n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

pub fn run() -> Result<(), Error> {
    let numbers = [1_000_003, 1_000_033, 1_000_035];
    {
        let executor = ProcessPoolExecutor::new(3)?;
        let tasks = numbers.map(|n| executor.submit(|n| (n, is_prime(n)), n));
        for task in as_completed(tasks.into_iter().collect::<Result<Vec<_>, _>>()?, None) {
            let (n, prime) = task?.result(None)?;
            println!("{n} is prime: {prime}");
        }
        // Dropping the executor at the end of the block waits for its tasks.
    }
    println!("the executor has ended");
    Ok(())
}
