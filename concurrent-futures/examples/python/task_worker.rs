//! Python: `QueueManager(address=(server, 5000), authkey=b'abc')`, `connect`, and `task.get(timeout=1)` until
//! `queue.Empty`. The other half is `task_master.rs`.
//!
//! A worker that is killed loses no task: it has leased its task, and another one gets it.

use std::{env, time::Duration};

use concurrent_futures::{
    Error, ErrorKind,
    cluster::{Client, Queue},
};

fn main() -> Result<(), Error> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5000".into());
    let key = env::var("TASK_KEY").map_err(|_| Error::new(ErrorKind::InvalidArgument, "TASK_KEY must be the key"))?;
    println!("Connect to server {address}...");
    let client = Client::connect(format!("nats://{address}"), key.as_str())?;
    let tasks: Queue<u64> = client.queue("tasks")?;
    let results: Queue<String> = client.queue("results")?;
    loop {
        let task = match tasks.take(Duration::from_secs(1)) {
            Ok(task) => task,
            Err(error) if error.kind() == ErrorKind::Timeout => break println!("task queue is empty."),
            Err(error) => return Err(error),
        };
        let n = *task;
        println!("run task {n} * {n}...");
        results.put(format!("{n} * {n} = {}", n * n))?;
        task.done()?;
    }
    println!("worker exit.");
    Ok(())
}
