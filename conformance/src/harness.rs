//! What a back-end says about itself, so that the rules can be run on it.

use std::fmt;

use executor_core::{Backend, Error};

/// Makes executors of one kind, and says what that kind can do.
///
/// The crate's documentation shows a whole one.
pub trait Harness: Send + Sync + 'static {
    /// How reports call this back-end.
    fn name(&self) -> &str;

    /// What this kind of back-end can do. Rules that need more are skipped, and say so.
    fn capabilities(&self) -> Capabilities;

    /// A new executor that nobody else uses.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being made; the rule that asked fails with it.
    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error>;
}

/// The executor that a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setup {
    /// How many tasks it runs at a time. A back-end that is not [`concurrent`](Capabilities::concurrent) ignores it.
    pub workers: usize,
    /// How many tasks may wait at most. Only set for a back-end that is [`bounded`](Capabilities::bounded).
    pub queue_capacity: Option<usize>,
}

impl Setup {
    /// An executor with this many workers and a queue without bound.
    pub fn workers(workers: usize) -> Setup {
        Setup { workers, queue_capacity: None }
    }

    /// The same with room for this many waiting tasks.
    pub fn queue_capacity(mut self, tasks: usize) -> Setup {
        self.queue_capacity = Some(tasks);
        self
    }
}

/// What a back-end can do beyond the least: run a task at some time and say how it ended.
///
/// Begin with [`Capabilities::NONE`] and name what holds. What is promised here is checked, what is not is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own, and a back-end may have any of them.
pub struct Capabilities {
    /// Tasks run in the background: `submit` returns while they run, up to `workers` of them at the same time.
    pub concurrent: bool,
    /// Tasks start in the order they were submitted in.
    pub ordered: bool,
    /// A task of a higher priority starts before those of a lower one that wait.
    pub prioritises: bool,
    /// A queue capacity is kept.
    pub bounded: bool,
    /// Tasks see this process's memory: statics, addresses, the executor itself.
    pub shares_memory: bool,
    /// Waiting for a task of the same executor inside a task cannot block for ever, however few workers there are.
    pub helps_waiters: bool,
    /// Arguments and results cross a codec on every way.
    pub encodes: bool,
    /// A task that takes its worker down costs that task and nothing else.
    pub isolates: bool,
    /// A running task can be stopped: `terminate`, `time_limit`, `Shutdown::Terminate`.
    pub stops_tasks: bool,
    /// The executor has its workers to itself, so they are gone when `join` says so.
    pub owns_workers: bool,
    /// `Backend::handle` answers, so `map` can read its input lazily.
    pub has_handle: bool,
}

impl Capabilities {
    /// Nothing beyond the least.
    pub const NONE: Capabilities = Capabilities {
        concurrent: false,
        ordered: false,
        prioritises: false,
        bounded: false,
        shares_memory: false,
        helps_waiters: false,
        encodes: false,
        isolates: false,
        stops_tasks: false,
        owns_workers: false,
        has_handle: false,
    };

    /// The first of these needs that does not hold.
    pub(crate) fn lacks(&self, needs: &[Need]) -> Option<Need> {
        needs.iter().copied().find(|need| !need.is_met(self))
    }
}

/// What a rule needs of a back-end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// [`Capabilities::concurrent`].
    Concurrent,
    /// [`Capabilities::ordered`].
    Ordered,
    /// [`Capabilities::prioritises`].
    Prioritises,
    /// [`Capabilities::bounded`].
    Bounded,
    /// [`Capabilities::shares_memory`].
    SharesMemory,
    /// [`Capabilities::helps_waiters`].
    HelpsWaiters,
    /// [`Capabilities::encodes`].
    Encodes,
    /// [`Capabilities::isolates`].
    Isolates,
    /// [`Capabilities::stops_tasks`].
    StopsTasks,
    /// Not [`Capabilities::stops_tasks`]: the rule is about saying no.
    CannotStopTasks,
    /// [`Capabilities::owns_workers`].
    OwnsWorkers,
    /// [`Capabilities::has_handle`].
    HasHandle,
}

impl Need {
    fn is_met(self, can: &Capabilities) -> bool {
        match self {
            Need::Concurrent => can.concurrent,
            Need::Ordered => can.ordered,
            Need::Prioritises => can.prioritises,
            Need::Bounded => can.bounded,
            Need::SharesMemory => can.shares_memory,
            Need::HelpsWaiters => can.helps_waiters,
            Need::Encodes => can.encodes,
            Need::Isolates => can.isolates,
            Need::StopsTasks => can.stops_tasks,
            Need::CannotStopTasks => !can.stops_tasks,
            Need::OwnsWorkers => can.owns_workers,
            Need::HasHandle => can.has_handle,
        }
    }
}

/// The reason of a skip, as the end of "skipped, because it ...".
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Need::Concurrent => "does not run tasks in the background",
            Need::Ordered => "does not promise an order of starting",
            Need::Prioritises => "has no priorities",
            Need::Bounded => "has no bounded queue",
            Need::SharesMemory => "runs tasks in a memory of their own",
            Need::HelpsWaiters => "lets a task that waits keep its worker",
            Need::Encodes => "does not encode arguments and results",
            Need::Isolates => "does not survive a task that crashes",
            Need::StopsTasks => "cannot stop a running task",
            Need::CannotStopTasks => "can stop a running task, and the rule is about saying no",
            Need::OwnsWorkers => "borrows its workers from somebody else",
            Need::HasHandle => "has no handle to submit through later",
        })
    }
}
