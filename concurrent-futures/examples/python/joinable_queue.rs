//! Python: producers put food into a `JoinableQueue` and join it; consumers are daemons and call `task_done`.

use concurrent_futures::{
    Error,
    multiprocessing::{JoinableQueue, Process},
};

fn produce((name, food, queue): (String, String, JoinableQueue<String>)) -> Result<(), Error> {
    for number in 0..2 {
        println!("{name} made {food} {number}");
        queue.put(format!("{food} {number}"))?;
    }
    // Returns when consumers have reported all that was put.
    queue.join(None)
}

fn consume((name, queue): (String, JoinableQueue<String>)) -> Result<(), Error> {
    loop {
        let food = queue.get(None)?;
        println!("{name} ate {food}");
        queue.task_done()?;
    }
}

pub fn run() -> Result<(), Error> {
    let queue = JoinableQueue::unbounded()?;
    let consumer = |name: &str| Process::builder().daemon(true).spawn(consume, (name.to_owned(), queue.clone()));
    let _consumers = [consumer("c1")?, consumer("c2")?];
    let producers = [("p1", "bun"), ("p2", "bone"), ("p3", "slop")]
        .map(|(name, food)| Process::spawn(produce, (name.to_owned(), food.to_owned(), queue.clone())));
    for producer in producers {
        producer?.result(None)??;
    }
    println!("main ends, and the consumers with it");
    Ok(())
}
