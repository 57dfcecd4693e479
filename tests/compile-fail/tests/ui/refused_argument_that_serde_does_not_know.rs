use executor_core::{Error, Executor, InlineExecutor};

struct Job {
    id: u64,
}

fn run(job: Job) -> u64 {
    job.id
}

fn main() -> Result<(), Error> {
    drop(InlineExecutor::new().submit(run, Job { id: 1 })?);
    Ok(())
}
