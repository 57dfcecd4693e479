use executor_core::{Error, Executor, InlineExecutor};

fn main() -> Result<(), Error> {
    let executor = InlineExecutor::new();
    let double: fn(u64) -> u64 = |n| n * 2;
    drop(executor.submit(double, 1)?);
    Ok(())
}
