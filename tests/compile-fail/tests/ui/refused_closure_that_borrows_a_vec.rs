use executor_core::{Error, Executor, InlineExecutor};

fn main() -> Result<(), Error> {
    let executor = InlineExecutor::new();
    let numbers = vec![1u64, 2];
    drop(executor.submit(|_: ()| numbers.len(), ())?);
    Ok(())
}
