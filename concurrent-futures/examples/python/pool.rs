//! Python: a parent prints its pid, gives `Pool(4)` five tasks of random length with `apply_async`, calls `close` and
//! `join`, and says that all are done.

use std::{process, thread, time::Duration, time::Instant};

use concurrent_futures::{Error, Executor, ProcessPoolExecutor, Shutdown};

fn long_time_task(number: u64) {
    println!("Run task {number} ({})...", process::id());
    let started = Instant::now();
    thread::sleep(Duration::from_millis(20 + number * 13 % 30));
    println!("Task {number} runs {:.2} seconds.", started.elapsed().as_secs_f64());
}

pub fn run() -> Result<(), Error> {
    println!("Parent process {}.", process::id());
    let pool = ProcessPoolExecutor::new(4)?;
    let tasks = (0..5).map(|number| pool.submit(long_time_task, number)).collect::<Result<Vec<_>, _>>()?;
    println!("Waiting for all subprocesses done...");
    // `close` and `join` in one call: nothing more is accepted, and what was accepted is done.
    pool.shutdown(Shutdown::Drain);
    // A task that has failed is an error here; in Python it is lost unless `get` is called.
    tasks.iter().try_for_each(|task| task.result(None))?;
    println!("All subprocesses done.");
    Ok(())
}
