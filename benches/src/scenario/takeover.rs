//! A lock whose holder dies.

use std::time::Instant;

use concurrent_futures::{
    Error, ErrorKind, Executor, ProcessPoolExecutor,
    multiprocessing::{Lock, Queue},
};
use rustix::process::{Pid, Signal, kill_process};

use super::Scenario;
use crate::{
    Outcome,
    contender::Role,
    driver::{Driver, Side, Table, Target},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "takeover",
    title: "a lock whose holder dies",
    about: "A worker process holds a lock and is killed. The clock runs from the signal until `lock` returns `Abandoned` in \
            the program.",
    plot: None,
    run,
};

const LABEL: &str = "Lock";
/// The limit in milliseconds.
const PROMPT: f64 = 20.0;

fn run(driver: &mut Driver) -> Outcome<()> {
    let side = side()?;
    let table = Table::new("from the death of a holder to its successor", "ms")
        .side(side)
        .target(Target::cost(LABEL, PROMPT, "20 ms"));
    driver.compare(table)
}

fn side() -> Outcome<Side> {
    let pool = ProcessPoolExecutor::new(1)?;
    let (lock, held) = (Lock::new()?, Queue::<()>::unbounded()?);
    let hold = |(lock, held, forever): (Lock, Queue<()>, Queue<()>)| -> Result<(), Error> {
        let _guard = lock.lock()?;
        held.put(())?;
        forever.get(None)
    };
    let forever = Queue::<()>::unbounded()?;
    Ok(Side::new(LABEL, Role::Ours, move || {
        let task = pool.submit(hold, (lock.clone(), held.clone(), forever.clone())).expect("accepted");
        held.get(None).expect("the worker has the lock");
        let worker = Pid::from_raw(pool.worker_pids()[0] as i32).expect("a process");
        let start = Instant::now();
        kill_process(worker, Signal::KILL).expect("it runs");
        let outcome = lock.lock().map(drop).map_err(|error| error.kind());
        let cost = start.elapsed().as_secs_f64() * 1e3;
        assert_eq!(outcome, Err(ErrorKind::Abandoned));
        drop(lock.recover());
        assert_eq!(task.result(None).map(drop).map_err(|error| error.kind()), Err(ErrorKind::WorkerDied));
        cost
    }))
}
