use executor_core::{Error, Executor, InlineExecutor};

fn length(path: String) -> std::io::Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}

fn main() -> Result<(), Error> {
    drop(InlineExecutor::new().submit(length, "a.txt".to_string())?);
    Ok(())
}
