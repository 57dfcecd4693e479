use executor_core::{Error, Executor, InlineExecutor};

fn add(a: u64, b: u64) -> u64 {
    a + b
}

fn main() -> Result<(), Error> {
    drop(InlineExecutor::new().submit(add, (1, 2))?);
    Ok(())
}
