use executor_core::{Error, Executor, InlineExecutor};

fn main() -> Result<(), Error> {
    let executor = InlineExecutor::new();
    let numbers = vec![1u64, 2];
    executor.map(|n: u64| n + 1, numbers.iter().copied())?.count();
    Ok(())
}
