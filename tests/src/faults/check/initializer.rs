//! Faults in the initializer.

use std::time::Duration;

use executor_core::{Backend, Error, ErrorKind, Executor, Future, Shutdown};

use super::{
    super::{
        Fault,
        payload::double,
        signs::{TIMEOUT, wait_until},
        table::{Cell, Failure},
    },
    errors,
    ground::Ground,
    not_here,
};

/// How many more starts than workers a pool may make before it is broken.
const MOST_STARTS: usize = 20;

pub(super) fn check(ground: &Ground, expected: Cell) -> Result<usize, String> {
    match expected {
        Cell::Breaks(failure) => breaks(ground, &failure),
        Cell::Waits => waits(ground).map(|()| 0),
        Cell::Replaced => replaces(ground).map(|()| 0),
        Cell::NoLoss => survives(ground).map(|()| 0),
        other => Err(not_here(other)),
    }
}

/// Checks a pool in which the fault happens to every worker. Waiting and later tasks fail with the reason.
fn breaks(ground: &Ground, failure: &Failure) -> Result<usize, String> {
    let errors: Vec<Error> = (0..3).map(|n| refusal(ground, n)).collect::<Result<_, _>>()?;
    wait_until("the refusal of more", || ground.pool.submit(double, 1).is_err())?;
    if !ground.pool.join_after_close() {
        return Err("a broken pool does not end".to_string());
    }
    let starts = ground.signs.list("starts");
    if starts.len() > ground.run.workers + MOST_STARTS {
        return Err(format!("{} workers were started for a width of {}", starts.len(), ground.run.workers));
    }
    errors.iter().try_for_each(|error| errors::check_reason(error, failure, ground.run.fault, &starts))?;
    Ok(errors.len())
}

/// Returns the error of a task, from `submit` or from its future.
fn refusal(ground: &Ground, n: u32) -> Result<Error, String> {
    match ground.pool.submit(double, n) {
        Err(error) => Ok(error),
        Ok(future) => match future.result(TIMEOUT) {
            Err(error) if future.done() => Ok(error),
            other => Err(format!("a task of a pool that must be broken: {other:?}")),
        },
    }
}

/// Checks a pool in which no worker is ever ready.
fn waits(ground: &Ground) -> Result<(), String> {
    wait_until("the start of all workers", || ground.signs.list("starts").len() >= ground.run.workers)?;
    let futures: Vec<Future<u32>> = (0..3)
        .map(|n| ground.pool.submit(double, n).map_err(|error| format!("a task was refused: {error}")))
        .collect::<Result<_, _>>()?;
    if let Some(future) = futures.iter().find(|future| future.done() || future.running()) {
        return Err(format!("a task has started where no worker is ready: {future:?}"));
    }
    if !futures[0].cancel() {
        return Err(format!("a task that waits cannot be cancelled: {:?}", futures[0]));
    }
    ground.pool.close(match ground.run.fault {
        Fault::IgnoresSigterm => Shutdown::Terminate { grace: Duration::from_millis(20) },
        _ => Shutdown::CancelPending,
    });
    for future in &futures {
        match future.result(TIMEOUT) {
            Err(error) if error.kind() == ErrorKind::Cancelled => {}
            other => return Err(format!("a task of a pool that never was ready: {other:?}")),
        }
    }
    if ground.pool.join(Some(TIMEOUT)) { Ok(()) } else { Err("the pool does not end".to_string()) }
}

/// Checks that a first worker that is stopped by a signal is killed and replaced.
fn replaces(ground: &Ground) -> Result<(), String> {
    let pid = ground.wait_for_arrival()?;
    ground.go(pid)?;
    ground.short_tasks(3 * ground.width())?.give_results("of a pool whose first worker was stopped")?;
    ground.is_at_full_width(pid, false)
}

/// Checks that the workers go on to serve.
fn survives(ground: &Ground) -> Result<(), String> {
    ground.short_tasks(3 * ground.width())?.give_results("of a pool whose initializers were signalled")?;
    match ground.signs.list("starts").as_slice() {
        starts if starts.len() > ground.run.workers => Err(format!("{starts:?} were started")),
        starts => {
            starts.first().map_or(Err("no initializer has run".into()), |pid| ground.is_at_full_width(*pid, true))
        }
    }
}

trait JoinAfterClose {
    /// Closes a pool to drain, and returns `true` if it ended.
    fn join_after_close(&self) -> bool;
}

impl<B: Backend> JoinAfterClose for B {
    fn join_after_close(&self) -> bool {
        self.close(Shutdown::Drain);
        self.join(Some(TIMEOUT))
    }
}
