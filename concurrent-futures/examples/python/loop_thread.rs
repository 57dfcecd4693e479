//! Python: the main thread starts a `Thread(target=loop, name='LoopThread')` and joins it. Both print
//! `current_thread().name`.

use std::thread;

use concurrent_futures::{Error, ErrorKind, Executor, ThreadPoolExecutor, task};

fn name() -> String {
    thread::current().name().unwrap_or("unnamed").to_owned()
}

fn count() {
    println!("thread {} is running...", name());
    for n in 1..=5 {
        println!("thread {} >>> {n}", name());
    }
    println!("thread {} ended.", name());
}

/// In a task, the worker has a name too.
fn worker_name(_: ()) -> Option<String> {
    task::current().map(|context| context.worker().to_owned())
}

pub fn run() -> Result<(), Error> {
    println!("thread {} is running...", name());
    let thread = thread::Builder::new().name("LoopThread".to_owned()).spawn(count);
    let thread = thread.map_err(|error| Error::new(ErrorKind::Other, error.to_string()))?;
    thread.join().map_err(|_| Error::new(ErrorKind::Panicked, "the thread has panicked"))?;
    let pool = ThreadPoolExecutor::builder().max_workers(1).name_prefix("LoopPool").build()?;
    println!("a task runs on {}", pool.submit(worker_name, ())?.result(None)?.unwrap_or_default());
    println!("thread {} ended.", name());
    Ok(())
}
