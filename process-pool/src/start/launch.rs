//! Starting the process of a worker with the descriptors and the rights that it is to have, and no others.

use std::{
    io,
    os::fd::BorrowedFd,
    process::{Child, Command},
    thread,
};

use super::rights::Terms;

/// Starts a worker. Mostly the calling thread just does so. Where the worker would get more than it is to have, a
/// thread that lives no longer than this call first gives up what must not go along, which no other thread notices.
pub(super) fn launch(command: &mut Command, terms: Terms, passed: &[BorrowedFd<'_>]) -> io::Result<Child> {
    if terms.are_met() && passed.is_empty() && !might_be_inherited() {
        return command.spawn();
    }
    // The system call that starts a program brings a stack of its own.
    const STACK: usize = 256 << 10;
    thread::scope(|scope| {
        let launcher = thread::Builder::new().name("launcher".into()).stack_size(STACK);
        let launcher = launcher.spawn_scoped(scope, || spawn_with_less(command, terms, passed))?;
        launcher.join().unwrap_or_else(|_| Err(io::Error::other("the thread that starts a worker has panicked")))
    })
}

#[cfg(target_os = "linux")]
fn might_be_inherited() -> bool {
    super::inheritance::might_be_inherited()
}

#[cfg(not(target_os = "linux"))]
fn might_be_inherited() -> bool {
    false
}

/// In a thread of its own.
#[cfg(target_os = "linux")]
fn spawn_with_less(command: &mut Command, terms: Terms, passed: &[BorrowedFd<'_>]) -> io::Result<Child> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

    use super::inheritance::OwnTable;
    let table = match OwnTable::with(passed) {
        Ok(table) => Some(table),
        // An old system, or one that forbids the calls: descriptors without `CLOEXEC` go along there.
        Err(_) if passed.is_empty() => None,
        Err(error) => {
            return Err(io::Error::new(
                error.kind(),
                format!("no descriptor can be passed on by this system: {error}"),
            ));
        }
    };
    if terms.lowers {
        // All that is permitted can become effective when a file is run.
        let most = CapabilitySet::from_bits_retain(terms.rights.effective);
        let inheritable = CapabilitySet::from_bits_retain(terms.rights.inheritable & terms.rights.effective);
        set_capabilities(None, CapabilitySets { effective: most, permitted: most, inheritable })?;
    }
    if terms.forbids_gain {
        set_no_new_privs(true)?;
    }
    let child = command.spawn();
    drop(table);
    child
}

#[cfg(not(target_os = "linux"))]
fn spawn_with_less(command: &mut Command, _: Terms, passed: &[BorrowedFd<'_>]) -> io::Result<Child> {
    if passed.is_empty() {
        return command.spawn();
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, "descriptors cannot be passed on to workers on this system"))
}
