use std::marker::PhantomData;

use executor_core::{Error, Executor, InlineExecutor};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Handle {
    id: u64,
    stays_on_its_thread: PhantomData<*const ()>,
}

fn run(handle: Handle) -> u64 {
    handle.id
}

fn main() -> Result<(), Error> {
    drop(InlineExecutor::new().submit(run, Handle { id: 1, stays_on_its_thread: PhantomData })?);
    Ok(())
}
