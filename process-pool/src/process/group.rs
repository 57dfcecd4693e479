//! Control groups for the workers of a pool, so that what a worker has started can be ended when the worker is gone.
//!
//! A worker that has crashed has lost its descendants: they are below it no more. But they are still in its control
//! group (version 2), which nothing leaves by itself. Under the group that this program is in there is one for the
//! pool, and in that one for each place of a worker, which the worker joins before any code of the user's runs.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use rustix::{
    fs::{Access, access},
    process::{Pid, test_kill_process},
};

const PREFIX: &str = "concurrent-futures-";

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct ControlGroup {
    directory: PathBuf,
}

impl ControlGroup {
    /// None: the system has no such groups, or does not let this program make one.
    pub(crate) fn make() -> Option<ControlGroup> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let own = own_group()?;
        sweep(&own);
        // ORDERING: the counter only has to give different numbers.
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let group = ControlGroup { directory: own.join(name) };
        fs::create_dir(&group.directory).ok()?;
        // To move a process takes the right to both groups, and to the one that has both in it.
        let may_write = |path: PathBuf| access(&path, Access::WRITE_OK).is_ok();
        let is_of_use = may_write(own.join("cgroup.procs"))
            && may_write(group.directory.join("cgroup.procs"))
            && may_write(group.directory.join("cgroup.kill"));
        is_of_use.then_some(group)
    }

    /// The group of a place, which is made if it is not there.
    pub(crate) fn place(&self, unit: usize) -> Option<OsString> {
        let directory = self.directory_of(unit);
        // A worker that has ended itself may have taken it away.
        fs::create_dir_all(&directory).ok()?;
        Some(directory.into())
    }

    /// Kills whatever is left in the group of a place.
    pub(crate) fn end(&self, unit: usize) {
        // The only failure is that it is not there, and then nothing is in it.
        let _ = fs::write(self.directory_of(unit).join("cgroup.kill"), "1");
    }

    fn directory_of(&self, unit: usize) -> PathBuf {
        self.directory.join(unit.to_string())
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        /// A process that was killed takes a moment to end, and a group can be removed when all of its processes have.
        const MOMENT: Duration = Duration::from_millis(1);
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

/// Removes a pool's group, if no process is left in it. True: it is gone.
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
        if let Some(program) = program.and_then(Pid::from_raw)
            && test_kill_process(program) == Err(rustix::io::Errno::SRCH)
        {
            remove(&entry.path());
        }
    }
}

/// The directory of the group that this program is in.
fn own_group() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let directory = mounts.lines().find_map(|line| directory_in(line, path))?;
    // Whatever is mounted there, this program has to be in it.
    let own = std::process::id().to_string();
    let members = fs::read_to_string(directory.join("cgroup.procs")).ok()?;
    members.lines().any(|member| member == own).then_some(directory)
}

/// The directory of a group, if this is the mount that it is in.
fn directory_in(mount: &str, path: &str) -> Option<PathBuf> {
    let (mount, kind) = mount.split_once(" - ")?;
    if !kind.starts_with("cgroup2 ") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    // Spaces and the like are written as numbers, which is not worth the trouble: such a place is not found.
    let below = Path::new(path).strip_prefix(root).ok()?;
    Some(Path::new(point).join(below))
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
