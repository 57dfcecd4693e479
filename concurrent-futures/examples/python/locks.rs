//! Python: two `Process`es print under one `Lock`, so that their lines are not mixed. `RLock`, `Semaphore` and
//! `BoundedSemaphore` are named beside it.

use concurrent_futures::{
    Error,
    multiprocessing::{BoundedSemaphore, Lock, Process, RLock, Semaphore},
};

fn print((name, lock): (String, Lock)) -> Result<(), Error> {
    let _held = lock.lock()?;
    println!("{name}: first line");
    println!("{name}: second line");
    Ok(())
}

pub fn run() -> Result<(), Error> {
    let lock = Lock::new()?;
    let processes = ["watch", "work"].map(|name| Process::spawn(print, (name.to_owned(), lock.clone())));
    for process in processes {
        process?.result(None)??;
    }

    let lock = RLock::new()?;
    let _outer = lock.lock()?;
    let _inner = lock.lock()?;
    println!("an RLock is locked twice by one thread: {}", lock.is_locked());

    let semaphore = Semaphore::new(2)?;
    let (_one, _other) = (semaphore.acquire(None)?, semaphore.acquire(None)?);
    println!("a third permit of two: {}", semaphore.try_acquire()?.is_some());

    let bounded = BoundedSemaphore::new(1)?;
    println!("a release above the bound: {:?}", bounded.release(1).map_err(|error| error.kind()));
    Ok(())
}
