//! Faults from outside, or from a thread that an earlier task has left running.

use std::time::{Duration, Instant};

use executor_core::Executor;
use test_support::{is_alive, kill};

use super::{
    super::{
        Fault,
        payload::plant,
        signs::{TIMEOUT, wait_until},
        table::Cell,
    },
    errors,
    ground::{Ground, SHORT, ShortTasks},
    not_here,
};

/// The time limit of short tasks whose worker may be stopped by a signal.
const LIMIT: Duration = Duration::from_secs(3);

/// Checks a fault while the pool has no task.
pub(super) fn check_idle(ground: &Ground, expected: Cell) -> Result<usize, String> {
    ground.warm_up()?;
    let pid = prepare(ground)?;
    go(ground, pid)?;
    wait_until("the fault", || has_happened(ground, pid))?;
    ground.short_tasks(3 * ground.width())?.give_results("after the fault")?;
    match expected {
        Cell::NoLoss => ground.is_at_full_width(pid, true)?,
        Cell::Replaced => ground.is_at_full_width(pid, false)?,
        other => return Err(not_here(other)),
    }
    Ok(0)
}

/// Checks a fault while short tasks run. At most the task that the worker runs is lost.
pub(super) fn check_between_tasks(ground: &Ground, expected: Cell) -> Result<usize, String> {
    const ROUNDS_BEFORE: u32 = 3;
    const ROUNDS_AFTER: u32 = 3;
    ground.warm_up()?;
    let pid = prepare(ground)?;
    let limit = (ground.run.fault == Fault::Stopped).then_some(LIMIT);
    // Whether the fault happens in a task depends on timing. Pools with an odd number of workers make that likely, and
    // the others unlikely.
    let in_a_task = ground.run.workers % 2 == 1;
    let mut failures = Vec::new();
    let (mut rounds_before, mut rounds_after) = (0, 0);
    let start = Instant::now();
    while rounds_after < ROUNDS_AFTER {
        rounds_before += 1;
        let is_time = rounds_before == ROUNDS_BEFORE;
        if is_time && !in_a_task {
            go(ground, pid)?;
        }
        let tasks = ShortTasks::submit_slower(&ground.pool, 4 * ground.width(), limit)?;
        if is_time && in_a_task {
            tasks.wait_for_a_start();
            go(ground, pid)?;
        }
        failures.extend(tasks.failures()?);
        let is_over = match expected {
            Cell::NoLoss => has_happened(ground, pid),
            _ => !is_alive(pid),
        };
        rounds_after += u32::from(rounds_before >= ROUNDS_BEFORE && is_over);
        if start.elapsed() > TIMEOUT {
            return Err(format!("worker {pid} does not end"));
        }
    }
    match (expected, failures.as_slice()) {
        (Cell::NoLoss, []) => ground.is_at_full_width(pid, true)?,
        (Cell::MayFail(_), []) => ground.is_at_full_width(pid, false)?,
        (Cell::MayFail(failure), [error]) => {
            errors::check_of_another(error, &failure, SHORT, pid)?;
            ground.is_at_full_width(pid, false)?;
        }
        (Cell::NoLoss | Cell::MayFail(_), errors) => {
            return Err(format!("{} tasks have failed: {errors:?}", errors.len()));
        }
        (other, _) => return Err(not_here(other)),
    }
    Ok(failures.len())
}

/// Prepares one worker and returns it.
fn prepare(ground: &Ground) -> Result<u32, String> {
    let planted = ground.pool.submit(plant, ground.point()).and_then(|future| future.result(TIMEOUT));
    let planted = planted.map_err(|error| format!("no worker could be prepared: {error}"))?;
    let arrived = ground.wait_for_arrival()?;
    if planted == arrived { Ok(planted) } else { Err(format!("worker {planted} was prepared, and {arrived} arrived")) }
}

fn go(ground: &Ground, pid: u32) -> Result<(), String> {
    ground.go(pid)?;
    if ground.run.fault == Fault::IgnoresSigterm {
        kill(pid, libc::SIGTERM);
    }
    Ok(())
}

/// Returns `true` if the fault has happened.
fn has_happened(ground: &Ground, pid: u32) -> bool {
    match ground.run.fault {
        // `go` has waited for these.
        Fault::Stopped | Fault::IgnoresSigterm => true,
        fault if fault.ends_the_process() => !is_alive(pid),
        _ => ground.signs.has("struck"),
    }
}
