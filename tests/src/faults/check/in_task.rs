//! Faults in a task.

use std::time::Duration;

use executor_core::{Error, ErrorKind, Executor, Future, TaskOptions};

use super::{
    super::{
        Fault,
        payload::{Argument, Outcome, victim},
        signs::{TIMEOUT, wait_until},
        table::{Cell, Failure},
    },
    errors,
    ground::Ground,
    not_here,
};

/// The name of the task in which the fault happens.
pub(super) const VICTIM: &str = "the victim";

/// The grace period of a task that ignores `SIGTERM`.
const GRACE: Duration = Duration::from_millis(20);

/// Time limits for a task that loops. The next one is tried if the machine is so busy that the limit ends the task
/// before the fault.
const LIMITS: [Duration; 3] = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(20)];

/// Checks the victim, and the tasks before it, beside it and behind it.
pub(super) fn check(ground: &Ground, expected: Cell) -> Result<usize, String> {
    ground.warm_up()?;
    let beside = ground.block_others()?;
    let struck = Victim::submit(ground)?;
    let behind = ground.short_tasks(2 * ground.width() + 1)?;
    struck.strike(ground)?;
    let lost = struck.check(ground, expected)?;
    behind.give_results("behind the fault")?;
    beside.open()?;
    ground.is_at_full_width(struck.pid, !is_replaced(expected))?;
    Ok(lost)
}

/// Returns `true` if a worker whose task ends like this is replaced.
fn is_replaced(expected: Cell) -> bool {
    match expected {
        Cell::Fails(failure) => failure.kind != ErrorKind::Panicked,
        _ => false,
    }
}

/// A task that has arrived at the place of the fault.
pub(super) struct Victim {
    pub(super) pid: u32,
    future: Future<Outcome>,
}

impl Victim {
    pub(super) fn submit(ground: &Ground) -> Result<Victim, String> {
        if ground.run.fault != Fault::EndlessLoop {
            return Victim::submit_with(ground, TaskOptions::new())?.ok_or_else(|| "it ended too early".to_string());
        }
        for limit in LIMITS {
            if let Some(victim) = Victim::submit_with(ground, TaskOptions::new().time_limit(limit))? {
                return Ok(victim);
            }
        }
        Err(format!("a task does not come to the place within {LIMITS:?}"))
    }

    /// Returns `None` if the task reached its time limit before the place.
    fn submit_with(ground: &Ground, options: TaskOptions) -> Result<Option<Victim>, String> {
        let future = ground.pool.submit_with(options.name(VICTIM), victim, Argument(ground.point()));
        let future = future.map_err(|error| format!("the task was refused: {error}"))?;
        wait_until("the arrival at the place", || ground.arrived().is_some() || future.done())?;
        if let Some(pid) = ground.arrived() {
            return Ok(Some(Victim { pid, future }));
        }
        match future.result(TIMEOUT) {
            Err(error) if error.kind() == ErrorKind::TimeLimit => Ok(None),
            other => Err(format!("the task ended before it came to the place: {other:?}")),
        }
    }

    /// Makes the fault happen, and terminates the task if the fault does not end it.
    pub(super) fn strike(&self, ground: &Ground) -> Result<(), String> {
        ground.go(self.pid)?;
        let stopped = match ground.run.fault {
            Fault::IgnoresSigterm => self.future.terminate(GRACE),
            Fault::Stopped if !self.future.running() => {
                return Err(format!(
                    "a task that was stopped by a signal no longer counts as running: {:?}",
                    self.future
                ));
            }
            Fault::Stopped => self.future.terminate(Duration::ZERO),
            _ => return Ok(()),
        };
        if stopped { Ok(()) } else { Err(format!("a running task could not be terminated: {:?}", self.future)) }
    }

    /// Checks the result. Returns how many tasks were lost.
    pub(super) fn check(&self, ground: &Ground, expected: Cell) -> Result<usize, String> {
        let result = self.future.result(TIMEOUT);
        if !self.future.done() {
            return Err(format!("the task does not end: {:?}", self.future));
        }
        match (result, expected) {
            (Ok(_), Cell::Arrives) => Ok(0),
            (Err(error), Cell::Fails(failure)) => self.compare(ground, &error, &failure).map(|()| 1),
            (result, Cell::Arrives | Cell::Fails(_)) => Err(format!("instead of {expected:?}: {result:?}")),
            (_, other) => Err(not_here(other)),
        }
    }

    fn compare(&self, ground: &Ground, error: &Error, failure: &Failure) -> Result<(), String> {
        errors::check(error, failure, ground.run.fault, VICTIM, self.pid)
    }
}
