//! Python: the methods of `Pool` and `AsyncResult`: an initializer, `apply`, `apply_async` with `get`, `ready`,
//! `successful` and `wait`, `map`, `map_async`, `imap`, `imap_unordered`, `starmap`, `close`, `join`, `terminate`.

use std::{thread, time::Duration};

use concurrent_futures::{Error, Executor, MapOptions, ProcessPoolExecutor, ReturnWhen, Shutdown, WorkerLocal, wait};

/// What the initializer leaves for the tasks of its worker: in Python, a global variable.
static BASE: WorkerLocal<u64> = WorkerLocal::new(|| 0);

fn initialize(base: u64) {
    BASE.set(base);
}

fn add(n: u64) -> u64 {
    BASE.with(|base| base + n)
}

fn power((base, exponent): (u64, u32)) -> u64 {
    base.pow(exponent)
}

pub fn run() -> Result<(), Error> {
    let pool = ProcessPoolExecutor::builder().max_workers(3).initializer(initialize, 100).build()?;

    println!("apply: {}", pool.submit(add, 1)?.result(None)?);

    let result = pool.submit(add, 2)?;
    let ready = wait([&result], Duration::from_secs(60), ReturnWhen::AllCompleted).not_done.is_empty();
    let successful = result.exception(None)?.is_none();
    println!("ready: {ready}, successful: {successful}, get: {}", result.result(Duration::from_secs(60))?);

    let all: Vec<u64> = pool.map(add, 1..=3)?.collect::<Result<_, _>>()?;
    println!("map: {all:?}");
    println!("map_async: {:?}", pool.map(add, 4..=6)?.into_future().result(None)?);

    let mut imap = pool.map_with(MapOptions::new().chunksize(1), add, 7..=8)?;
    while let Some(next) = imap.next_timeout(Duration::from_secs(60)) {
        println!("imap: {}", next?);
    }
    let mut unordered: Vec<u64> =
        pool.map_with(MapOptions::new().unordered(), add, 1..=3)?.collect::<Result<_, _>>()?;
    unordered.sort_unstable();
    println!("imap_unordered, sorted: {unordered:?}");

    let powers: Vec<u64> = pool.map(power, [(2, 3), (3, 2)])?.collect::<Result<_, _>>()?;
    println!("starmap: {powers:?}");

    // `close` and `join`, and after that no task is accepted.
    pool.shutdown(Shutdown::Drain);
    println!("after close: {:?}", pool.submit(add, 1).map_err(|error| error.kind()).map(drop));

    // `terminate` stops what runs.
    let pool = ProcessPoolExecutor::new(1)?;
    let sleeper = pool.submit(|()| thread::sleep(Duration::from_secs(3600)), ())?;
    while !sleeper.running() {
        thread::yield_now();
    }
    pool.shutdown(Shutdown::Terminate { grace: Duration::from_secs(5) });
    println!("terminate: {:?}", sleeper.result(None).map_err(|error| error.kind()));
    Ok(())
}
