//! How a back-end describes itself to the rules.

use std::fmt;

use executor_core::{Backend, Error};

/// Creates executors of one kind, and declares their capabilities.
///
/// The documentation of the crate has a complete example.
pub trait Harness: Send + Sync + 'static {
    /// Returns the name of the back-end in reports.
    fn name(&self) -> &str;

    /// Returns the capabilities of the back-end. Rules that need another one are skipped with a message.
    fn capabilities(&self) -> Capabilities;

    /// Creates a new executor for one rule.
    ///
    /// # Errors
    ///
    /// Returns the error of the back-end if it cannot be created. The rule then fails with it.
    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error>;
}

/// The executor that a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setup {
    /// How many tasks it must run at the same time. A back-end that is not
    /// [`concurrent`](Capabilities::concurrent) ignores this.
    pub workers: usize,
    /// How many tasks may be queued. This is set only for a back-end that is [`bounded`](Capabilities::bounded).
    pub queue_capacity: Option<usize>,
}

impl Setup {
    /// Returns the setup of an executor with this many workers and an unbounded queue.
    pub fn workers(workers: usize) -> Setup {
        Setup { workers, queue_capacity: None }
    }

    /// Bounds the queue to this many tasks.
    pub fn queue_capacity(mut self, tasks: usize) -> Setup {
        self.queue_capacity = Some(tasks);
        self
    }
}

/// What a back-end can do beyond the minimum. Every back-end runs each task at some time and reports how it ended.
///
/// Begin with [`Capabilities::NONE`] and set what the back-end supports. Rules that need another capability are
/// skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // They are independent of each other.
pub struct Capabilities {
    /// Tasks run in the background: `submit` returns while they run, up to `workers` of them at the same time.
    pub concurrent: bool,
    /// Tasks start in the order of submission.
    pub ordered: bool,
    /// A queued task of a higher priority starts before queued tasks of a lower one.
    pub prioritises: bool,
    /// The executor enforces a queue capacity.
    pub bounded: bool,
    /// Tasks run in this process and can access its statics and the executor itself.
    pub shares_memory: bool,
    /// A task that waits for another task of the same executor never deadlocks, however few workers there are.
    pub helps_waiters: bool,
    /// Arguments and results are always encoded and decoded.
    pub encodes: bool,
    /// A task that kills its worker affects no other task.
    pub isolates: bool,
    /// A running task can be stopped: `terminate`, `time_limit`, `Shutdown::Terminate`.
    pub stops_tasks: bool,
    /// The executor owns its workers, so they have ended when `join` returns true.
    pub owns_workers: bool,
    /// `Backend::handle` returns a handle, so `map` can read its input lazily.
    pub has_handle: bool,
    /// `Backend::poll_room` waits while the queue is full, so `submit_async` blocks no thread.
    pub gives_room: bool,
}

impl Capabilities {
    /// No capability beyond the minimum.
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
        gives_room: false,
    };

    /// Returns the first of these needs that is not met.
    pub(crate) fn lacks(&self, needs: &[Need]) -> Option<Need> {
        needs.iter().copied().find(|need| !need.is_met(self))
    }
}

/// A capability that a rule needs.
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
    /// Not [`Capabilities::stops_tasks`]: the rule is about refusing to stop a task.
    CannotStopTasks,
    /// [`Capabilities::owns_workers`].
    OwnsWorkers,
    /// [`Capabilities::has_handle`].
    HasHandle,
    /// [`Capabilities::gives_room`].
    GivesRoom,
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
            Need::GivesRoom => can.gives_room,
        }
    }
}

/// Shows the reason of a skip, without its subject: "does not ...".
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Need::Concurrent => "does not run tasks in the background",
            Need::Ordered => "does not start tasks in order",
            Need::Prioritises => "has no priorities",
            Need::Bounded => "has no bounded queue",
            Need::SharesMemory => "does not run tasks in this process",
            Need::HelpsWaiters => "blocks a worker whose task waits for another task",
            Need::Encodes => "does not encode arguments and results",
            Need::Isolates => "does not survive a task that crashes",
            Need::StopsTasks => "cannot stop a running task",
            Need::CannotStopTasks => "can stop a running task, and the rule is about refusing to",
            Need::OwnsWorkers => "does not own its workers",
            Need::HasHandle => "has no handle to submit items later",
            Need::GivesRoom => "does not let async submitters wait for room",
        })
    }
}
