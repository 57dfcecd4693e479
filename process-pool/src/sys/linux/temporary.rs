//! Private directories of workers, which are removed whatever a worker has left there.
//!
//! A hostile worker can nest directories deeper than a recursion, or the limit on descriptors, bears, and make some
//! that nobody may read. So a directory is removed without recursion: what lies in a subdirectory is moved up, one
//! level at a time, until everything lies in the directory itself.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags, chmodat, mkdir, openat, renameat, unlinkat},
    io::Errno,
};

use crate::sys::clock::monotonic_now;

/// A directory that only this user can use. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryDirectory {
    path: PathBuf,
}

impl TemporaryDirectory {
    /// Makes a directory where this program has its temporary files.
    pub(crate) fn make() -> io::Result<TemporaryDirectory> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        const TRIES: u32 = 100;
        let parent = std::env::temp_dir().canonicalize()?;
        for _ in 0..TRIES {
            // ORDERING: the numbers only have to be different.
            let count = COUNT.fetch_add(1, Relaxed);
            let time = monotonic_now().as_nanos();
            let path = parent.join(format!("concurrent-futures-{}-{count}-{time:x}", std::process::id()));
            match mkdir(&path, Mode::RWXU) {
                Ok(()) => return Ok(TemporaryDirectory { path }),
                // Something else has taken the name.
                Err(Errno::EXIST) => {}
                Err(error) => {
                    let message =
                        format!("no directory could be made in {}: {}", parent.display(), io::Error::from(error));
                    return Err(io::Error::new(io::Error::from(error).kind(), message));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // Processes that were just killed may still create something.
        const TRIES: u32 = 100;
        const PAUSE: Duration = Duration::from_millis(1);
        for _ in 0..TRIES {
            let _ = empty(&self.path);
            match unlinkat(CWD, &self.path, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => return,
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

fn open(at: impl std::os::fd::AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(at, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Removes everything in a directory, as far as the system lets this program do so.
fn empty(path: &Path) -> Result<(), Errno> {
    let root = open(CWD, path)?;
    let mut moved = 0_u64;
    loop {
        let (mut is_empty, mut has_changed) = (true, false);
        for_each(&root, |name| {
            if remove(&root, name) {
                has_changed = true;
                return;
            }
            is_empty = false;
            let Some(directory) = open_any(&root, name) else { return };
            let _ = for_each(&directory, |inner| {
                let is_gone = remove(&directory, inner) || {
                    make_writable(&directory, inner);
                    moved += 1;
                    renameat(&directory, inner, &root, format!("{moved:x}.moved")).is_ok()
                };
                has_changed |= is_gone;
            });
            has_changed |= unlinkat(&root, name, AtFlags::REMOVEDIR).is_ok();
        })?;
        if is_empty || !has_changed {
            return Ok(());
        }
    }
}

/// Calls `action` with the name of each file in a directory.
fn for_each(directory: &OwnedFd, mut action: impl FnMut(&CStr)) -> Result<(), Errno> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            action(name);
        }
    }
    Ok(())
}

/// Opens a directory, even if its owner has taken the right to do so, or to change it, from itself.
fn open_any(at: &OwnedFd, name: &CStr) -> Option<OwnedFd> {
    make_writable(at, name);
    open(at, name).ok()
}

/// Gives the owner of a directory all rights on it. Does nothing for other files, and follows no link: the worker may
/// have put a link here that leads to another file of this user.
fn make_writable(at: &OwnedFd, name: &CStr) {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(directory) = openat(at, name, flags, Mode::empty()) else { return };
    // A descriptor that is only a path takes no `fchmod`, but this names the same file.
    let _ = chmodat(CWD, format!("/proc/self/fd/{}", directory.as_raw_fd()), Mode::RWXU, AtFlags::empty());
}

/// Removes a file, or a directory that is empty. Returns `false` for a directory that is not.
fn remove(at: &OwnedFd, name: &CStr) -> bool {
    unlinkat(at, name, AtFlags::empty()).is_ok() || unlinkat(at, name, AtFlags::REMOVEDIR).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_is_removed_whatever_is_in_it() {
        let directory = TemporaryDirectory::make().expect("made");
        let path = directory.path().to_owned();
        fs::write(path.join("file"), "text").expect("written");
        fs::create_dir(path.join("closed")).expect("made");
        fs::write(path.join("closed/file"), "text").expect("written");
        chmodat(CWD, path.join("closed"), Mode::empty(), AtFlags::empty()).expect("its owner may");
        // Deeper than paths, descriptors and most stacks allow.
        const DEPTH: usize = 2000;
        let mut deepest = open(CWD, &path).expect("opens");
        for _ in 0..DEPTH {
            rustix::fs::mkdirat(&deepest, c"deeper", Mode::RWXU).expect("made");
            deepest = open(&deepest, c"deeper").expect("opens");
        }
        std::os::unix::fs::symlink("/", path.join("link")).expect("made");
        drop(directory);
        assert!(!path.exists());
        assert!(Path::new("/usr").exists());
    }
}
