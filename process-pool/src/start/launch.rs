//! Starting the process of a worker with exactly the descriptors and the rights that it may have.

use std::{
    io,
    os::fd::BorrowedFd,
    process::{Child, Command},
    thread,
};

use super::rights::Terms;
use crate::sys::{
    credentials,
    descriptors::{OwnTable, might_be_inherited},
};

/// Starts a worker, in most programs from the calling thread. If the worker would get more than it may have, a thread
/// that lives no longer than this call first gives up the rest, which affects no other thread.
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

/// Starts a worker from a thread that does nothing else.
fn spawn_with_less(command: &mut Command, terms: Terms, passed: &[BorrowedFd<'_>]) -> io::Result<Child> {
    let table = match OwnTable::with(passed) {
        Ok(table) => Some(table),
        // An old system, or one that forbids the calls. There, a worker inherits descriptors without `CLOEXEC`.
        Err(_) if passed.is_empty() => None,
        Err(error) => {
            return Err(io::Error::new(
                error.kind(),
                format!("no descriptor can be passed on by this system: {error}"),
            ));
        }
    };
    if terms.lowers {
        credentials::lower(&terms.rights)?;
    }
    if terms.forbids_gain {
        credentials::forbid_gain()?;
    }
    let child = command.spawn();
    drop(table);
    child
}
