use executor_core::{Error, Executor, InlineExecutor};

fn main() -> Result<(), Error> {
    let executor = InlineExecutor::new();
    let factor = 3u64;
    executor.map(move |n: u64| n * factor, [1u64, 2])?.count();
    Ok(())
}
