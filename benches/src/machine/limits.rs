//! The limits of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Outcome;

/// Raises the limit of descriptors as far as allowed, because a peer has some for each task. Turns off core dumps,
/// because writing them would take most of the time of a scenario that aborts processes.
///
/// # Errors
///
/// If the system refuses the change.
pub fn prepare() -> Outcome<()> {
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum })?;
    let core = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: core.maximum })?;
    Ok(())
}
