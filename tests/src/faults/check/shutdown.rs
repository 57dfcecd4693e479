//! Faults in a pool that was closed.

use std::collections::BTreeSet;

use executor_core::{Backend, Error, ErrorKind, Executor, Future, Shutdown};

use super::{
    super::{
        payload::{double, plant_at_exit},
        signs::TIMEOUT,
        table::Cell,
    },
    ground::Ground,
    in_task::Victim,
};

pub(super) fn check(ground: &Ground, expected: Cell) -> Result<usize, String> {
    let lost = check_last_task(ground, expected)?;
    check_exit_handlers(ground)?;
    Ok(lost)
}

/// Checks that all tasks that were accepted before the pool was closed succeed, except the victim.
fn check_last_task(ground: &Ground, expected: Cell) -> Result<usize, String> {
    ground.warm_up()?;
    let beside = ground.block_others()?;
    let struck = Victim::submit(ground)?;
    let behind = ground.short_tasks(2 * ground.width() + 1)?;
    ground.pool.close(Shutdown::Drain);
    match ground.pool.submit(double, 1) {
        Err(error) if error.kind() == ErrorKind::ShutDown => {}
        other => return Err(format!("a task for a pool that was closed: {other:?}")),
    }
    struck.strike(ground)?;
    let lost = struck.check(ground, expected)?;
    behind.give_results("behind the fault, in a pool that was closed")?;
    beside.open()?;
    check_end(&ground.pool)?;
    Ok(lost)
}

/// Checks that the pool ends if the fault happens in the exit handlers of its workers.
fn check_exit_handlers(ground: &Ground) -> Result<(), String> {
    let pool = ground.another()?;
    let workers = ground.run.workers;
    let futures: Result<Vec<Future<u32>>, Error> =
        (0..workers).map(|_| pool.submit(plant_at_exit, (ground.point(), workers))).collect();
    let futures = futures.map_err(|error| format!("a task was refused: {error}"))?;
    let prepared: Result<BTreeSet<u32>, Error> = futures.iter().map(|future| future.result(TIMEOUT)).collect();
    let prepared = prepared.map_err(|error| format!("a worker could not be prepared: {error}"))?;
    pool.close(Shutdown::Drain);
    check_end(&pool)?;
    let exited: BTreeSet<u32> = ground.signs.list("exits").into_iter().collect();
    if prepared.len() == workers && prepared == exited {
        Ok(())
    } else {
        Err(format!("{prepared:?} were prepared, and {exited:?} have run their exit handlers"))
    }
}

fn check_end(pool: &process_pool::ProcessPoolExecutor) -> Result<(), String> {
    if !pool.join(Some(TIMEOUT)) {
        return Err("the pool does not end".to_string());
    }
    match pool.worker_pids().as_slice() {
        [] => Ok(()),
        pids => Err(format!("the pool has ended, and has the workers {pids:?}")),
    }
}
