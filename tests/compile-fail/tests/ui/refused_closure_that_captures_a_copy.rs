use executor_core::{Error, Executor, InlineExecutor};

fn main() -> Result<(), Error> {
    let executor = InlineExecutor::new();
    let factor = 3u64;
    drop(executor.submit(move |n: u64| n * factor, 1)?);
    Ok(())
}
