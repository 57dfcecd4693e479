//! The interface to the operating system: every system call of this crate, and everything that differs between systems.
//!
//! `linux` and `other` have files of the same names with the same items. `other` is for every Unix system that has no
//! folder of its own, and uses only what every such system has. `unix` has what is the same on all of them. A port adds
//! folders of the same shapes, and changes nothing outside this module: `WINDOWS.md` describes one.
//!
//! Nothing in this module uses the rest of the crate, and nothing outside it names `libc`, `rustix` or `polling`, which
//! `ci/lint` checks. Outside it a descriptor is the standard library's type, and is only passed on.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as family;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod other;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(all(unix, not(target_os = "linux")))]
use other as system;

pub(crate) use family::{
    advice, child, children, clock, ending, exit, initialisers, limits, message, pipe, policy, poller, rights, signals,
    socket, stack, standard, stderr, terminal, termination,
};
pub(crate) use system::{
    control_group, credentials, descriptors, executable, hang_up, memory, process, process_tree, sandbox, scheduling,
    temporary,
};
