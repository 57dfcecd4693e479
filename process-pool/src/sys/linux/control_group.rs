//! Control groups (version 2) for the workers of a pool, which hold everything that a worker has started even if the
//! worker is gone.
//!
//! When a worker crashes, its descendants get another parent, and can no longer be found below it. They are still in
//! its control group, which no process leaves by itself. Below this program's own group there is one for the pool, and
//! below that one for each worker slot. The worker joins it before any user code runs.

use std::{
    ffi::{CString, OsString},
    fs,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use rustix::{
    fs::{Access, AtFlags, CWD, Mode, OFlags, access},
    io::Errno,
    process::{Pid, test_kill_process},
};

const PREFIX: &str = "concurrent-futures-";

/// A process that was killed takes a moment to end, and a group can be removed only when all its processes have ended.
const MOMENT: Duration = Duration::from_millis(1);

/// The group of a pool, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    directory: PathBuf,
}

impl ControlGroup {
    /// Makes a group for a pool. Returns `None` if the system has no such groups, or does not let this program make
    /// one.
    pub(crate) fn make() -> Option<ControlGroup> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let own = own_group()?;
        sweep(&own);
        // ORDERING: the numbers only have to be different.
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let group = ControlGroup { directory: own.join(name) };
        fs::create_dir(&group.directory).ok()?;
        // Moving a process needs the right to write to both groups, and to the group that contains both.
        let may_write = |path: PathBuf| access(&path, Access::WRITE_OK).is_ok();
        let is_usable = may_write(own.join("cgroup.procs"))
            && may_write(group.directory.join("cgroup.procs"))
            && may_write(group.directory.join("cgroup.kill"));
        is_usable.then_some(group)
    }

    /// Returns the group of a worker slot, and makes it if it does not exist.
    pub(crate) fn of_slot(&self, slot: usize) -> Option<OsString> {
        let directory = self.directory_of(slot);
        // A worker that has ended itself may have removed the pool's group too.
        fs::create_dir_all(&directory).ok()?;
        Some(directory.into())
    }

    /// Kills the processes that are left in the group of a worker slot.
    pub(crate) fn end(&self, slot: usize) {
        // It fails only if the group does not exist, and then nothing is in it.
        let _ = fs::write(self.directory_of(slot).join("cgroup.kill"), "1");
    }

    fn directory_of(&self, slot: usize) -> PathBuf {
        self.directory.join(slot.to_string())
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        const MOMENTS: u32 = 1000;
        let _ = fs::write(self.directory.join("cgroup.kill"), "1");
        for _ in 0..MOMENTS {
            if remove(&self.directory) {
                return;
            }
            thread::sleep(MOMENT);
        }
    }
}

/// Removes a pool's group, if no process is left in it. Returns `true` if it is gone.
fn remove(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return true };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let _ = fs::remove_dir(entry.path());
    }
    fs::remove_dir(directory).is_ok()
}

/// Removes the groups of programs that were killed together with all their workers.
fn sweep(own: &Path) {
    for entry in fs::read_dir(own).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let program = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok());
        if program.and_then(Pid::from_raw).map(test_kill_process) == Some(Err(Errno::SRCH)) {
            remove(&entry.path());
        }
    }
}

/// Returns the directory of the group that this program is in.
fn own_group() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let directory = mounts.lines().find_map(|line| directory_in(line, path))?;
    // Something else may be mounted over it, so this checks that this program is listed there.
    let own = std::process::id().to_string();
    let members = fs::read_to_string(directory.join("cgroup.procs")).ok()?;
    members.lines().any(|member| member == own).then_some(directory)
}

/// Returns the directory of a group, if this line describes the mount that contains it.
fn directory_in(mount: &str, path: &str) -> Option<PathBuf> {
    let (mount, kind) = mount.split_once(" - ")?;
    if !kind.starts_with("cgroup2 ") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    // A path with spaces is escaped here, and is not found.
    let below = Path::new(path).strip_prefix(root).ok()?;
    Some(Path::new(point).join(below))
}

/// The group that this process has joined. Leaving it is prepared while there surely is memory for that.
struct Joined {
    /// The list of processes in the program's group.
    outside: CString,
    kill: CString,
    directory: CString,
    pool: CString,
}

static JOINED: OnceLock<Joined> = OnceLock::new();

/// Moves this process to a group that [`ControlGroup::of_slot`] returned. A worker also works without a group, so a
/// failure is ignored.
pub(crate) fn join(directory: &Path) {
    let _ = try_to_join(directory);
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

/// Moves this process out of the group that it has joined, kills the processes that are left there, and removes the
/// group.
pub(crate) fn leave() {
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
    // Succeeds for the last worker of the pool.
    let _ = rustix::fs::unlinkat(CWD, &joined.pool, AtFlags::REMOVEDIR);
}

fn write(path: &CString, text: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_group_is_found_among_the_mounts() {
        let unified = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(directory_in(unified, "/user.slice/a"), Some("/sys/fs/cgroup/user.slice/a".into()));
        assert_eq!(directory_in(unified, "/"), Some("/sys/fs/cgroup/".into()));
        let part = "35 24 0:30 /docker/7 /sys/fs/cgroup rw - cgroup2 cgroup rw";
        assert_eq!(directory_in(part, "/docker/7/a"), Some("/sys/fs/cgroup/a".into()));
        assert_eq!(directory_in(part, "/elsewhere"), None);
        assert_eq!(directory_in("36 24 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu", "/"), None);
    }
}
