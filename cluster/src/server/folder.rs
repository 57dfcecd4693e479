//! The private folder of a server: its configuration, its store and its log.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use executor_core::{Error, ErrorKind, escape};
use rustix::fs::{FlockOperation, flock};

use crate::random;

/// What the names of all such folders begin with.
const PREFIX: &str = "concurrent-futures-server-";

/// The file that is locked while a process or its server uses the folder.
const LOCK: &str = "lock";

/// The most that is read of a log.
const LONGEST_LOG: u64 = 64 << 10;

/// A folder that no other user can open. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The lock belongs to the open file, which the server has too. So the folder is in use until both are gone.
    lock: File,
}

impl Folder {
    /// Creates a folder, and removes those of servers that were killed together with their program.
    pub(super) fn create() -> Result<Folder, Error> {
        let temporary = std::env::temp_dir();
        remove_unused(&temporary);
        create_in(&temporary).map_err(|error| {
            let place = temporary.display();
            Error::new(
                ErrorKind::Other,
                format!("no private folder for a server can be made in {place}: {error}; TMPDIR names another place"),
            )
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a second descriptor of the locked file.
    pub(super) fn share_lock(&self) -> io::Result<File> {
        self.lock.try_clone()
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path.join("server.conf")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Opens the file for what the server says before it has read where its log is.
    pub(super) fn open_output(&self) -> io::Result<File> {
        private_file(&self.path.join("output"))
    }

    pub(super) fn write_config(&self, text: &str) -> Result<(), Error> {
        private_file(&self.config()).and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
            let path = self.config();
            Error::new(ErrorKind::Other, format!("{} cannot be written: {error}", path.display()))
        })
    }

    /// Returns the port of the server, when it has written its list of ports.
    pub(super) fn port(&self) -> Option<u16> {
        let mut files = fs::read_dir(&self.path).ok()?.flatten();
        let ports = files.find(|file| file.file_name().to_string_lossy().ends_with(".ports"))?;
        port_of(&fs::read_to_string(ports.path()).ok()?)
    }

    /// Returns the last lines that the server has written, or an empty text.
    pub(super) fn last_lines(&self) -> String {
        let text = ["output", "log"].map(|name| end_of(&self.path.join(name)).unwrap_or_default());
        escape::last_lines(&text.join("\n"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next server.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn create_in(temporary: &Path) -> io::Result<Folder> {
    let name = random::name().map_err(io::Error::from)?;
    let path = temporary.join(format!("{PREFIX}{name}"));
    // It fails if the folder exists, so no other user can have made it.
    DirBuilder::new().mode(0o700).create(&path)?;
    // The file gets its name when it is locked, because a folder whose lock is free is removed.
    let new = path.join("new");
    let lock = private_file(&new).and_then(|lock| {
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        fs::rename(&new, path.join(LOCK))?;
        Ok(lock)
    });
    match lock {
        Ok(lock) => Ok(Folder { path, lock }),
        Err(error) => {
            let _ = fs::remove_dir_all(&path);
            Err(error)
        }
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Removes the folders of this user that no process uses. A folder that cannot be looked at, or removed, stays.
fn remove_unused(temporary: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let is_own = entry.metadata().is_ok_and(|folder| folder.is_dir() && folder.uid() == user);
        if is_own && is_unused(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns `true` if the lock of a folder is free. A folder without a lock may be about to get one.
fn is_unused(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

/// Returns the port in what the server has written: `{"nats":["nats://127.0.0.1:42699",...],...}`.
fn port_of(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("\"nats\"")?;
    let (_, rest) = rest.split_once("nats://")?;
    let (address, _) = rest.split_once('"')?;
    address.rsplit_once(':')?.1.parse().ok()
}

/// Returns the end of a file.
fn end_of(path: &Path) -> io::Result<String> {
    use std::io::{Seek as _, SeekFrom};

    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_LOG)))?;
    let mut end = Vec::new();
    file.take(LONGEST_LOG).read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_private_and_goes_with_its_value() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = create_in(temporary.path()).unwrap();
        folder.write_config("token").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(folder.path()), mode(&folder.config())), (0o700, 0o600));
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn only_folders_that_no_process_uses_are_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let used = create_in(temporary.path()).unwrap();
        // The end of the program alone does not free the folder, because its server has the lock too.
        let ended = create_in(temporary.path()).unwrap();
        let (of_server, left) = (ended.share_lock().unwrap(), ended.path().to_owned());
        fs::rename(&left, left.with_extension("kept")).unwrap();
        drop(ended);
        let left = left.with_extension("kept");
        let young = temporary.path().join(format!("{PREFIX}young"));
        fs::create_dir(&young).unwrap();
        let foreign = temporary.path().join("other");
        fs::create_dir(&foreign).unwrap();
        remove_unused(temporary.path());
        assert!(used.path().exists() && left.exists() && young.exists() && foreign.exists());
        drop(of_server);
        remove_unused(temporary.path());
        assert!(used.path().exists() && !left.exists() && young.exists() && foreign.exists());
    }

    #[test]
    fn the_port_is_found_in_the_list() {
        assert_eq!(port_of(r#"{"nats":["nats://[::1]:4222","nats://10.0.0.1:4222"],"monitoring":[]}"#), Some(4222));
        for text in ["", "{}", r#"{"nats":[]}"#, r#"{"nats":["nats://x"#, r#"{"nats":["nats://x:99999"]}"#] {
            assert_eq!(port_of(text), None, "{text}");
        }
    }
}
