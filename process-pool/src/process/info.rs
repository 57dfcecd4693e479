//! What processes know about each other: names, numbers, parents.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::start::setup::Setup;

/// The name, the process id and the kind of a process.
///
/// [`active_children`](crate::active_children), [`current_process`] and [`parent_process`] return it.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
/// use concurrent_futures::multiprocessing::{Process, active_children, current_process};
///
/// let child = Process::builder().name("reader").daemon(true).spawn(|()| current_process().name().to_string(), ())?;
/// assert!(active_children().iter().any(|info| info.name() == "reader" && info.pid() == child.pid()));
/// assert_eq!(child.result(None)?, "reader");
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessInfo {
    name: String,
    pid: u32,
    is_daemon: bool,
}

impl ProcessInfo {
    pub(crate) fn new(name: String, pid: u32, is_daemon: bool) -> ProcessInfo {
        ProcessInfo { name, pid, is_daemon }
    }

    /// Returns the name: that of a [`Process`](crate::Process), the name of a worker of a pool, or `MainProcess` for a
    /// program that was started by something else. Python's counterpart is `Process.name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the process id. Python's counterpart is `Process.pid`.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns `true` if it is a [`Process`](crate::Process) that was spawned as a daemon. Python's counterpart is
    /// `Process.daemon`.
    pub fn is_daemon(&self) -> bool {
        self.is_daemon
    }
}

/// Returns the name, the process id and the kind of the calling process.
///
/// In the program itself the name is `MainProcess`. In a task of a pool it is the name of the worker. Python's
/// counterpart is `multiprocessing.current_process`.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
/// use concurrent_futures::multiprocessing::{Process, current_process};
///
/// assert_eq!(current_process().name(), "MainProcess");
/// assert_eq!(current_process().pid(), std::process::id());
/// let child = Process::spawn(|()| current_process().pid(), ())?;
/// assert_eq!(child.result(None)?, child.pid());
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub fn current_process() -> ProcessInfo {
    let own = own();
    ProcessInfo::new(own.name.clone(), std::process::id(), own.is_daemon)
}

/// Returns the process that has spawned the calling process, or `None` in the program itself.
///
/// In a task of a pool it is the process that has built the pool. The parent may have ended by now; then this process
/// is about to end, too. Python's counterpart is `multiprocessing.parent_process`.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
/// use concurrent_futures::multiprocessing::{Process, parent_process};
///
/// assert!(parent_process().is_none());
/// let child = Process::spawn(|()| parent_process().map(|parent| (parent.pid(), parent.name().to_string())), ())?;
/// assert_eq!(child.result(None)?, Some((std::process::id(), "MainProcess".to_string())));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub fn parent_process() -> Option<ProcessInfo> {
    own().parent.clone()
}

/// What this process is.
#[derive(Debug)]
struct Own {
    name: String,
    is_daemon: bool,
    /// What the default names of its children begin with.
    prefix: String,
    parent: Option<ProcessInfo>,
}

static OWN: OnceLock<Own> = OnceLock::new();

fn own() -> &'static Own {
    OWN.get_or_init(|| Own {
        name: "MainProcess".to_string(),
        is_daemon: false,
        prefix: "Process-".to_string(),
        parent: None,
    })
}

/// Records what this process is, which has just started as a worker.
pub(crate) fn set_own(setup: &Setup) {
    let own = Own {
        name: setup.name.clone(),
        is_daemon: setup.role.is_daemon(),
        prefix: format!("{}:", setup.lineage),
        parent: Some(ProcessInfo::new(setup.parent_name.clone(), setup.parent, setup.parent_is_daemon)),
    };
    // It is set already only if an initialiser has asked before this crate's own has run. The answer then stays.
    let _ = OWN.set(own);
}

/// Returns the default name of the next child: `Process-1` in the program itself, `Process-1:1` in that child, and so
/// on.
pub(super) fn next_default_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    // ORDERING: the numbers only have to be different.
    format!("{}{}", own().prefix, COUNT.fetch_add(1, Relaxed))
}
