//! What a worker in a sandbox may do, as far as the system enforces it.

use std::ffi::OsString;

/// What the filter of system calls depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Whether any file may be read or written. Which, is decided by other means than the filter.
    pub(crate) files: bool,
    /// Whether any file may be written.
    pub(crate) writes: bool,
    /// Whether programs may be started.
    pub(crate) processes: bool,
    pub(crate) net: Net,
    /// Whether memory that becomes executable is refused.
    pub(crate) no_new_code: bool,
    /// Whether other means than the filter stop signals to processes outside.
    pub(crate) signals_are_scoped: bool,
    pub(crate) refused: Refused,
    /// The process that is locked.
    pub(crate) own: u32,
    /// The descriptor of the channel through which descriptors arrive, the only one of which messages may be received
    /// without a network.
    pub(crate) channel: i32,
}

/// The network of a [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Net {
    None,
    /// TCP alone. Without `listens`, no connection can be accepted.
    Tcp {
        listens: bool,
    },
    Any,
}

/// What happens to a call that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It fails.
    Error,
    /// It fails, and is reported.
    Explain,
    /// It ends the process, and is reported.
    Kill,
}

/// A path, and what may be done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) path: OsString,
    pub(crate) access: Access,
}

/// What may be done with a file, or below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// Reading and writing.
    Write,
    /// Reading and running.
    Execute,
}

/// The TCP ports that may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) connect: Vec<u16>,
    pub(crate) bind: Vec<u16>,
}

/// Limits on what a process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) open_files: u64,
    pub(crate) file_size: Option<u64>,
    /// In seconds.
    pub(crate) cpu_time: Option<u64>,
}

/// What is enforced when a process is locked.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
#[derive(Clone, Debug)]
pub(crate) struct Cage {
    /// What the filter of system calls enforces, if there is one.
    pub(crate) policy: Option<Policy>,
    /// The version of the means that restrict files, if the system has them.
    pub(crate) files: Option<u32>,
    pub(crate) grants: Vec<Grant>,
    /// The ports, or `None` if the network is not restricted to some.
    pub(crate) ports: Option<Ports>,
    pub(crate) capabilities: bool,
}

/// The beginning of the line in which a worker reports a refused call.
pub(crate) const BLOCKED: &str = "blocked by the sandbox: ";
