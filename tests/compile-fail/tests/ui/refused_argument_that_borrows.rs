use executor_core::{Error, Executor, InlineExecutor};

fn main() -> Result<(), Error> {
    let executor = InlineExecutor::new();
    let text = String::from("a text");
    drop(executor.submit(|text: &str| text.len(), text.as_str())?);
    Ok(())
}
