//! What the system grants this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Outcome;

/// Lets this process have as many descriptors as it may: a peer holds some for each task. Processes that are made to
/// abort leave no images of their memory behind, which would be what is measured.
///
/// # Errors
///
/// If the system refuses that.
pub fn prepare() -> Outcome<()> {
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum })?;
    let core = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: core.maximum })?;
    Ok(())
}
