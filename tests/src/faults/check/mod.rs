//! Makes a fault happen at its place, and checks that the caller sees the outcome of the [table](super::table).

mod errors;
mod ground;
mod in_task;
mod initializer;
mod left_behind;
mod shutdown;

use std::{fmt, path::Path};

use executor_core::ErrorKind;
use process_pool::{Refusal, Sandbox, Transport};

use tempfile::TempDir;

use super::{Fault, Place, memory, snapshot::Snapshot, table::cell};
use ground::Ground;

/// One fault at one place of one kind of pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The fault.
    pub fault: Fault,
    /// The place.
    pub place: Place,
    /// The transport to the workers.
    pub transport: Transport,
    /// The number of workers.
    pub workers: usize,
}

impl Run {
    /// Returns the sandbox of the pool, which grants files in this directory, or `None` if the pool has none.
    fn sandbox(self, directory: &Path) -> Option<Sandbox> {
        let refusal = match self.place {
            Place::Contained => Refusal::Error,
            _ if self.fault.is_forbidden() => Refusal::Kill,
            _ => return None,
        };
        // The fault may happen in the initializer.
        Some(Sandbox::compute().write(directory).before_initializer().on_refusal(refusal))
    }

    /// Checks that the system has what the pool needs.
    ///
    /// # Errors
    ///
    /// If it cannot keep the sandbox of the pool, or ignores limits on memory. The error says why.
    pub fn is_possible(self) -> Result<(), String> {
        if self.fault == Fault::OutOfMemory && !memory::is_limited() {
            return Err("this system gives a process more memory than its limit".to_string());
        }
        let directory = TempDir::new().map_err(|error| format!("no directory for signs: {error}"))?;
        match self.sandbox(directory.path()).map(|sandbox| sandbox.check()) {
            Some(Err(error)) if error.kind() == ErrorKind::Unsupported => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    /// Makes the fault happen and checks the outcome. Returns how many tasks it has cost.
    ///
    /// Nothing else may run in the process, because resources are counted for the whole process.
    ///
    /// # Errors
    ///
    /// If the outcome differs from the table. The error says how.
    pub fn check(self) -> Result<usize, String> {
        let before = Snapshot::now();
        let expected = cell(self.fault, self.place);
        let ground = Ground::new(self)?;
        let seen = match self.place {
            Place::Decode | Place::Run | Place::DropArgument | Place::Encode | Place::DropResult | Place::Contained => {
                in_task::check(&ground, expected)
            }
            Place::Initializer => initializer::check(&ground, expected),
            Place::Idle => left_behind::check_idle(&ground, expected),
            Place::BetweenTasks => left_behind::check_between_tasks(&ground, expected),
            Place::Shutdown => shutdown::check(&ground, expected),
        };
        ground.close(seen.is_ok());
        let lost = seen?;
        before.wait_gone()?;
        Ok(lost)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = if self.transport == Transport::Ring { "ring" } else { "socket" };
        write!(f, "{} x {}, {link}, workers {}", self.fault.name(), self.place.name(), self.workers)
    }
}

/// Returns the error for a cell that its place cannot have.
fn not_here(expected: super::table::Cell) -> String {
    format!("the table has {expected:?}, and this place has no check for it")
}
