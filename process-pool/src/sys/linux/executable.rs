//! The file that workers run, which is exactly the file that holds this crate's code.
//!
//! It is held open, and run through its descriptor. So a worker runs the very file that was found here, even if it was
//! deleted, moved or replaced since, and no file is ever run because of its name.
//!
//! In most programs `/proc/self/exe` leads to that file. It does not where the system has started something else, which
//! then loaded the program: the loader (`ld-linux.so ./program`), or an emulator like valgrind. Then this module finds
//! the file from which this crate's code is mapped.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Path, PathBuf},
    sync::OnceLock,
};

use executor_core::function::image::Image;
use rustix::{
    fs::{FileType, Mode, OFlags},
    io::{Errno, FdFlags},
};

use super::mapping::Mapping;

/// The file of this program.
#[derive(Debug)]
pub(crate) struct Executable {
    file: OwnedFd,
}

const SELF: &str = "/proc/self/exe";

impl Executable {
    /// Finds the file of this program. `image` is the loaded file that holds this crate's code, if the system can tell.
    /// The error contains advice.
    pub(crate) fn find(image: Option<&Image>) -> io::Result<Executable> {
        let own = |flags| open(SELF.as_ref(), flags).map_err(|cause| no_proc(SELF, &cause.into()));
        /// Whether the system has loaded this program. That does not change, and finding out takes longer than opening
        /// a file.
        static IS_USUAL: OnceLock<bool> = OnceLock::new();
        let is_unusual = |image: &&Image| !*IS_USUAL.get_or_init(|| is_loaded_by_the_system(image));
        let Some(image) = image.filter(is_unusual) else {
            // This works even if the file may be run and not read.
            return Ok(Executable { file: own(OFlags::PATH)? });
        };
        let mapping = Mapping::of_parts(image.loaded()).map_err(|cause| no_proc("/proc/self/maps", &cause))?;
        let Some(mapping) = mapping else {
            // No file is mapped there: the program has unpacked itself into memory.
            return Ok(Executable { file: own(OFlags::PATH)? });
        };
        // An emulator may redirect the opening of the link to the program.
        match own(OFlags::RDONLY) {
            Ok(file) if mapping.is_of(file.as_fd()).unwrap_or(false) => Ok(Executable { file }),
            _ => find_by_path(&mapping),
        }
    }

    /// Returns the descriptor if the child must inherit it. An emulator opens the path only after it was itself started
    /// again in the child, and the descriptor that it returned here lacks `CLOEXEC`.
    pub(crate) fn inherited(&self) -> Option<BorrowedFd<'_>> {
        let is_closed = rustix::io::fcntl_getfd(&self.file).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC));
        (!is_closed).then(|| self.file.as_fd())
    }

    /// Returns the path that leads to the file, in this process and in a child that is about to run it.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
}

/// Finds the file of a program that was loaded by something else. The file at its path may be another one by now.
fn find_by_path(mapping: &Mapping) -> io::Result<Executable> {
    let is_wanted = |path: &OsStr| {
        // Any file may have been put there, even a device on which opening has an effect.
        FileType::from_raw_mode(rustix::fs::stat(path).ok()?.st_mode).is_file().then_some(())?;
        let file = open(Path::new(path), OFlags::RDONLY | OFlags::NONBLOCK).ok()?;
        mapping.is_of(file.as_fd()).is_ok_and(|is| is).then_some(file)
    };
    let found = paths(&mapping.path).iter().find_map(|path| is_wanted(path));
    found.map(|file| Executable { file }).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "this program was not started by the system itself but by `{}`, and its own file, `{}`, was \
                 deleted, replaced or cannot be read, so workers cannot run it: start the program again, and \
                 directly",
                std::fs::read_link(SELF).unwrap_or_default().display(),
                String::from_utf8_lossy(&mapping.path)
            ),
        )
    })
}

/// Returns the possible meanings of a path in `/proc/self/maps`, where a line feed is written as `\012`, and a
/// backslash as itself.
fn paths(shown: &[u8]) -> Vec<OsString> {
    const LINE_FEED: &[u8] = b"\\012";
    let mut unescaped = Vec::with_capacity(shown.len());
    let mut rest = shown;
    while let Some(at) = rest.windows(LINE_FEED.len()).position(|window| window == LINE_FEED) {
        unescaped.extend_from_slice(&rest[..at]);
        unescaped.push(b'\n');
        rest = &rest[at + LINE_FEED.len()..];
    }
    unescaped.extend_from_slice(rest);
    let mut paths = vec![OsString::from_vec(shown.to_vec())];
    if unescaped != shown {
        paths.push(OsString::from_vec(unescaped));
    }
    paths
}

/// Returns `true` if the system itself has loaded this image when it started the process. The process's status says
/// where the code of that file begins.
fn is_loaded_by_the_system(image: &Image) -> bool {
    /// The index of the field, counted from the one after the name.
    const START_OF_CODE: usize = 23;
    let Ok(status) = std::fs::read("/proc/self/stat") else { return false };
    let status = String::from_utf8_lossy(&status);
    // The name is in parentheses, and may have any characters in it.
    let fields = status.rsplit_once(')').map_or("", |(_, fields)| fields);
    let start = fields.split_ascii_whitespace().nth(START_OF_CODE).and_then(|field| field.parse().ok());
    start.is_some_and(|start| image.loaded().iter().any(|part| part.contains(&start)))
}

fn no_proc(path: &str, cause: &io::Error) -> io::Error {
    let advice = "workers run this program's own file, which only /proc leads to: mount it, and let this user read it";
    io::Error::new(cause.kind(), format!("`{path}` cannot be opened: {cause}; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_finds_its_file() {
        let found = Executable::find(Some(executor_core::function::image::own())).expect("found");
        let status =
            |file: &Path| rustix::fs::stat(file).map(|status| (status.st_dev, status.st_ino)).expect("is there");
        assert_eq!(status(&found.path()), status(&std::env::current_exe().expect("a name")));
    }

    #[test]
    fn a_path_with_line_feeds_is_tried_as_shown_and_unescaped() {
        assert_eq!(paths(b"/bin/a (deleted)"), ["/bin/a (deleted)"]);
        assert_eq!(paths(b"/a\\012b\\012"), ["/a\\012b\\012", "/a\nb\n"]);
    }
}
