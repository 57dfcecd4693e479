//! The file that workers run: the one that holds this crate's code, and no other.
//!
//! It is held open, and run through its descriptor. So a worker runs the very file that was looked at here, even if it
//! was deleted, moved or replaced since, and nothing is ever run because it has a certain name.
//!
//! In most programs `/proc/self/exe` leads to that file. It does not where the system has started something else, which
//! then loaded the program: the loader (`ld-linux.so ./program`), or an emulator like valgrind. Then the file that is
//! mapped at the place of this crate's code is searched for.

#[cfg(not(target_os = "linux"))]
use std::os::fd::BorrowedFd;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::{io, path::PathBuf};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Executable {
    #[cfg(target_os = "linux")]
    file: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    path: PathBuf,
}

#[cfg(not(target_os = "linux"))]
impl Executable {
    pub(crate) fn find() -> io::Result<Executable> {
        Ok(Executable { path: std::env::current_exe()? })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    pub(crate) fn kept(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        ffi::{OsStr, OsString},
        os::{
            fd::{AsFd, AsRawFd, BorrowedFd},
            unix::ffi::OsStringExt,
        },
        path::Path,
        sync::OnceLock,
    };

    use executor_core::function::image::Image;
    use rustix::{
        fs::{FileType, Mode, OFlags},
        io::{Errno, FdFlags},
    };

    use super::*;
    use crate::start::{mapping::Mapping, program};

    const SELF: &str = "/proc/self/exe";

    impl Executable {
        /// Finds the file of this program. Its error says what to do.
        pub(crate) fn find() -> io::Result<Executable> {
            let own = |flags| open(SELF.as_ref(), flags).map_err(|cause| no_proc(SELF, &cause.into()));
            /// Whether the system has loaded this program: that does not change, and asking takes longer than opening a
            /// file.
            static IS_USUAL: OnceLock<bool> = OnceLock::new();
            let is_unusual = |image: &&Image| !*IS_USUAL.get_or_init(|| is_loaded_by_the_system(image));
            let Some(image) = program::image().filter(is_unusual) else {
                // Also if the file may be run and not read.
                return Ok(Executable { file: own(OFlags::PATH)? });
            };
            let mapping = Mapping::of_parts(image.loaded()).map_err(|cause| no_proc("/proc/self/maps", &cause))?;
            let Some(mapping) = mapping else {
                // A program that has unpacked itself into its memory.
                return Ok(Executable { file: own(OFlags::PATH)? });
            };
            // An emulator may lead to the program itself when the link is opened.
            match own(OFlags::RDONLY) {
                Ok(file) if mapping.is_of(file.as_fd()).unwrap_or(false) => Ok(Executable { file }),
                _ => find_by_path(&mapping),
            }
        }

        /// The descriptor, if the child must keep it until it runs. An emulator opens the path only when it is started
        /// anew itself, and had given a descriptor of its own, which is not closed by that.
        pub(crate) fn kept(&self) -> Option<BorrowedFd<'_>> {
            let is_closed = rustix::io::fcntl_getfd(&self.file).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC));
            (!is_closed).then(|| self.file.as_fd())
        }

        /// The path that leads to the file, in this process and in a child that is about to run it.
        pub(crate) fn path(&self) -> PathBuf {
            PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
        }
    }

    fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        rustix::fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
    }

    /// The program was loaded by something else. The file at its path may be another one by now.
    fn find_by_path(mapping: &Mapping) -> io::Result<Executable> {
        let is_wanted = |path: &OsStr| {
            // Anything may be planted there, a device that notices that it is opened too.
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

    /// What a path in `/proc/self/maps` may mean: there a line feed is written as `\012`, and a backslash as itself.
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

    /// Returns whether the system itself has loaded this image when it started the process. It notes down where the
    /// code of that file begins.
    fn is_loaded_by_the_system(image: &Image) -> bool {
        /// The field of the status, counted from the one behind the name.
        const START_OF_CODE: usize = 23;
        let Ok(status) = std::fs::read("/proc/self/stat") else { return false };
        let status = String::from_utf8_lossy(&status);
        // The name is in parentheses, and may have any characters in it.
        let fields = status.rsplit_once(')').map_or("", |(_, fields)| fields);
        let start = fields.split_ascii_whitespace().nth(START_OF_CODE).and_then(|field| field.parse().ok());
        start.is_some_and(|start| image.loaded().iter().any(|part| part.contains(&start)))
    }

    fn no_proc(path: &str, cause: &io::Error) -> io::Error {
        let advice =
            "workers run this program's own file, which only /proc leads to: mount it, and let this user read it";
        io::Error::new(cause.kind(), format!("`{path}` cannot be opened: {cause}; {advice}"))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn this_program_finds_its_file() {
            let found = Executable::find().expect("found");
            let status =
                |file: &Path| rustix::fs::stat(file).map(|status| (status.st_dev, status.st_ino)).expect("is there");
            assert_eq!(status(&found.path()), status(&std::env::current_exe().expect("a name")));
        }

        #[test]
        fn a_path_with_line_feeds_is_tried_as_it_is_shown_and_as_it_may_be() {
            assert_eq!(paths(b"/bin/a (deleted)"), ["/bin/a (deleted)"]);
            assert_eq!(paths(b"/a\\012b\\012"), ["/a\\012b\\012", "/a\nb\n"]);
        }
    }
}
