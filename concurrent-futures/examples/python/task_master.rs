//! Python: `QueueManager(address=('', 5000), authkey=b'abc')`, `start`, `get_task_queue().put(n)`, and
//! `get_result_queue().get(timeout=10)`. The manager's process is a server of NATS here.
//!
//! ```text
//! export TASK_KEY=abc                                                          on each machine
//! cargo run --features cluster --example task_master 0.0.0.0:5000              on one
//! cargo run --features cluster --example task_worker 10.0.0.1:5000             on any others
//! ```

use std::{
    env,
    io::{Write as _, stdout},
    time::{Duration, SystemTime},
};

use concurrent_futures::{
    Error, ErrorKind,
    cluster::{Client, Queue, Server},
};

fn main() -> Result<(), Error> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5000".into());
    // Not an argument, because every user of a machine can read those of all programs.
    let key = env::var("TASK_KEY").map_err(|_| Error::new(ErrorKind::InvalidArgument, "TASK_KEY must be the key"))?;
    let server = Server::start(&address, &key)?;
    let client = Client::connect(server.url(), server.token())?;
    let tasks: Queue<u64> = client.queue("tasks")?;
    let results: Queue<String> = client.queue("results")?;
    println!("Serving at {}", server.url());

    let start =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| u64::from(time.subsec_nanos()));
    for n in (0..10).map(|n| (start + n * 7919) % 10_000) {
        println!("Put task {n}...");
        tasks.put(n)?;
    }
    println!("Try get results...");
    // Those who read this line may want to start a worker now.
    let _ = stdout().flush();
    for _ in 0..10 {
        println!("Result: {}", results.get(Duration::from_secs(60))?);
    }
    // The server ends with this program. A worker that has put a result still has to say that its task is done.
    tasks.join(Duration::from_secs(60))?;
    println!("master exit.");
    Ok(())
}
