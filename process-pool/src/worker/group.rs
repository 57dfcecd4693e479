//! The control group of a worker, if its pool has made one for it.

use std::{ffi::CString, os::unix::ffi::OsStringExt as _, path::Path, sync::OnceLock, thread, time::Duration};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    io::Errno,
};

use crate::start::GROUP;

/// What is needed to leave it, written down before tasks may have used up all memory.
struct Joined {
    /// The group of the program.
    outside: CString,
    kill: CString,
    directory: CString,
    pool: CString,
}

static JOINED: OnceLock<Joined> = OnceLock::new();

/// Joins it. Without it a worker does what it can, so a failure is none.
pub(super) fn join() {
    if let Some(directory) = crate::start::entry::take_variable(GROUP) {
        let _ = try_to_join(Path::new(&directory));
    }
}

fn try_to_join(directory: &Path) -> Option<()> {
    let text = |path: &Path| CString::new(path.as_os_str().to_owned().into_vec()).ok();
    let pool = directory.parent()?;
    let joined = Joined {
        outside: text(&pool.parent()?.join("cgroup.procs"))?,
        kill: text(&directory.join("cgroup.kill"))?,
        directory: text(directory)?,
        pool: text(pool)?,
    };
    write(&text(&directory.join("cgroup.procs"))?, b"0").ok()?;
    JOINED.set(joined).ok()
}

/// Leaves it, kills whatever is left in it, and removes it: for a worker whose parent is gone.
pub(super) fn leave() {
    /// What was killed takes a moment to end.
    const MOMENT: Duration = Duration::from_millis(1);
    const MOMENTS: u32 = 100;
    let Some(joined) = JOINED.get() else { return };
    if write(&joined.outside, b"0").is_err() || write(&joined.kill, b"1").is_err() {
        return;
    }
    for _ in 0..MOMENTS {
        if rustix::fs::unlinkat(CWD, &joined.directory, AtFlags::REMOVEDIR) != Err(Errno::BUSY) {
            break;
        }
        thread::sleep(MOMENT);
    }
    // The last worker succeeds.
    let _ = rustix::fs::unlinkat(CWD, &joined.pool, AtFlags::REMOVEDIR);
}

fn write(path: &CString, text: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text).map(|_| ())
}
