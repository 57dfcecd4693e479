//! Faults that meet a worker in the middle of a task.

use std::time::Duration;

use executor_core::{Error, ErrorKind, Executor, Future, TaskOptions};

use super::{
    super::{
        Fault,
        payload::{Argument, Outcome, victim},
        signs::{PATIENCE, wait_until},
        table::{Cell, Failure},
    },
    errors,
    ground::Ground,
    not_here,
};

/// How the task is called that is struck.
pub(super) const VICTIM: &str = "the victim";

/// How long a deaf task is asked nicely.
const GRACE: Duration = Duration::from_millis(20);

/// Time limits for a task that loops: the next is tried where a busy machine has not let it come so far.
const LIMITS: [Duration; 3] = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(20)];

/// Other tasks run before, beside and behind the one that is struck.
pub(super) fn check(ground: &Ground, expected: Cell) -> Result<usize, String> {
    ground.warm_up()?;
    let beside = ground.occupy_others()?;
    let struck = Victim::submit(ground)?;
    let behind = ground.short_tasks(2 * ground.width() + 1)?;
    struck.meet(ground)?;
    let lost = struck.check(ground, expected)?;
    behind.give_results("behind the fault")?;
    beside.open()?;
    ground.is_at_full_width(struck.pid, !is_replaced(expected))?;
    Ok(lost)
}

/// Whether a worker whose task is told this is replaced.
fn is_replaced(expected: Cell) -> bool {
    match expected {
        Cell::Fails(failure) => failure.kind != ErrorKind::Panicked,
        _ => false,
    }
}

/// A task that has come to the place where it is going to be struck.
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

    /// None: it has reached its time limit before it reached the place.
    fn submit_with(ground: &Ground, options: TaskOptions) -> Result<Option<Victim>, String> {
        let future = ground.pool.submit_with(options.name(VICTIM), victim, Argument(ground.point()));
        let future = future.map_err(|error| format!("the task was refused: {error}"))?;
        wait_until("the arrival at the place", || ground.arrived().is_some() || future.done())?;
        if let Some(pid) = ground.arrived() {
            return Ok(Some(Victim { pid, future }));
        }
        match future.result(PATIENCE) {
            Err(error) if error.kind() == ErrorKind::TimeLimit => Ok(None),
            other => Err(format!("the task ended before it came to the place: {other:?}")),
        }
    }

    /// Lets the fault happen, and does what the caller does about it.
    pub(super) fn meet(&self, ground: &Ground) -> Result<(), String> {
        ground.go(self.pid)?;
        let stopped = match ground.run.fault {
            Fault::Deaf => self.future.terminate(GRACE),
            Fault::Stopped if !self.future.running() => {
                return Err(format!("a task that was stopped by a signal does not run any more: {:?}", self.future));
            }
            Fault::Stopped => self.future.terminate(Duration::ZERO),
            _ => return Ok(()),
        };
        if stopped { Ok(()) } else { Err(format!("a running task could not be terminated: {:?}", self.future)) }
    }

    /// Looks at its result, and answers how many tasks were lost with it.
    pub(super) fn check(&self, ground: &Ground, expected: Cell) -> Result<usize, String> {
        let result = self.future.result(PATIENCE);
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
