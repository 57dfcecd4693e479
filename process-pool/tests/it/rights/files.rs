//! Copies of this test program whose files give rights to the user who runs them.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use rustix::fs::{XattrFlags, setxattr, statvfs};
use tempfile::TempDir;

/// A user other than root. Some files belong to it.
pub const OTHER: u32 = 12_345;

/// The copies.
pub struct Files {
    directory: TempDir,
    pub plain: PathBuf,
    pub set_uid: PathBuf,
    pub set_gid: PathBuf,
    pub set_uid_other: PathBuf,
    pub with_capabilities: PathBuf,
    /// A program that takes all ids of its file and runs another program.
    pub rises: PathBuf,
}

impl Files {
    /// Returns `None` if no directory of this machine allows such files.
    pub fn new() -> Option<Files> {
        let directory = [env!("CARGO_TARGET_TMPDIR"), "/tmp", "/var/tmp"].into_iter().find_map(directory)?;
        let copy = |name: &str, user: u32, group: u32, mode: u32| {
            let path = directory.path().join(name);
            test_support::copy_program(&fs::read_link("/proc/self/exe").expect("a program"), &path);
            chown(&path, Some(user), Some(group)).expect("given away");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            path
        };
        let with_capabilities = copy("with_capabilities", 0, 0, 0o755);
        give_capabilities(&with_capabilities);
        Some(Files {
            plain: copy("plain", 0, 0, 0o755),
            set_uid: copy("set_uid", 0, 0, 0o4755),
            set_gid: copy("set_gid", 0, 0, 0o2755),
            set_uid_other: copy("set_uid_other", OTHER, OTHER, 0o4755),
            with_capabilities,
            rises: copy("rises", 0, 0, 0o6755),
            directory,
        })
    }

    /// Returns the files that give rights.
    pub fn that_give_rights(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("set-uid", self.set_uid.clone()),
            ("set-gid", self.set_gid.clone()),
            ("set-uid for another user", self.set_uid_other.clone()),
            ("with capabilities", self.with_capabilities.clone()),
        ]
    }

    /// Creates a directory that every user may write to.
    pub fn open_directory(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).expect("set");
        path
    }
}

/// Creates a directory in `parent`, if every user can access it and its file system lets files give rights.
fn directory(parent: &str) -> Option<TempDir> {
    let may_be_entered = |path: &Path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    let gives_rights = !statvfs(parent).ok()?.f_flag.contains(rustix::fs::StatVfsMountFlags::NOSUID);
    if !gives_rights || !Path::new(parent).ancestors().all(may_be_entered) {
        return None;
    }
    let directory = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir_in(parent).ok()?;
    // The umask of this process may have changed the mode.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).ok()?;
    Some(directory)
}

/// Lets those who run a file read every file, in the format of `setcap cap_dac_read_search=ep`.
fn give_capabilities(path: &Path) {
    const VERSION_2: u32 = 0x0200_0000;
    const EFFECTIVE: u32 = 1;
    const DAC_READ_SEARCH: u32 = 1 << 2;
    let words = [VERSION_2 | EFFECTIVE, DAC_READ_SEARCH, 0, 0, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    setxattr(path, c"security.capability", &bytes, XattrFlags::empty()).expect("set");
}
