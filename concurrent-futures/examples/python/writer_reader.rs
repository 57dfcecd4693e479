//! Python: a writer and a reader `Process` on one `Queue`. The parent joins the writer, and terminates the reader,
//! which reads in a loop without end.

use std::process;

use concurrent_futures::{
    Error,
    multiprocessing::{JoinableQueue, Process},
};

fn write(queue: JoinableQueue<String>) -> Result<(), Error> {
    println!("Process to write: {}", process::id());
    for value in ["A", "B", "C"] {
        println!("Put {value} to queue...");
        queue.put(value.to_owned())?;
    }
    Ok(())
}

fn read(queue: JoinableQueue<String>) -> Result<(), Error> {
    println!("Process to read: {}", process::id());
    loop {
        println!("Get {} from queue.", queue.get(None)?);
        queue.task_done()?;
    }
}

pub fn run() -> Result<(), Error> {
    let queue = JoinableQueue::unbounded()?;
    let writer = Process::spawn(write, queue.clone())?;
    let reader = Process::spawn(read, queue.clone())?;
    writer.join(None);
    writer.result(None)??;
    // The program in Python may terminate the reader before it has read everything. This one waits until it has.
    queue.join(None)?;
    reader.terminate();
    reader.join(None);
    println!("The reader ended with {:?}.", reader.exit_code());
    Ok(())
}
