use std::rc::Rc;

use executor_core::{Error, Executor, InlineExecutor};

fn main() -> Result<(), Error> {
    drop(InlineExecutor::new().submit(|n: u64| Rc::new(n), 1)?);
    Ok(())
}
