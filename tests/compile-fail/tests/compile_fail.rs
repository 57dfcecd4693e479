//! What must not compile, and the error messages, which must say what to do.
//!
//! After a change of a message, `TRYBUILD=overwrite cargo test -p compile-fail` updates
//! the files.

#[test]
fn what_must_not_compile_has_a_helpful_error() {
    #[cfg(unix)]
    if sources::are_installed() {
        return sources::run_without("what_must_not_compile_has_a_helpful_error");
    }
    let cases = trybuild::TestCases::new();
    // One case that compiles makes trybuild build instead of check, and only a build evaluates the size of a closure.
    cases.pass("tests/ui/what_must_compile.rs");
    cases.compile_fail("tests/ui/refused_*.rs");
}

/// The sources of the standard library (the component `rust-src`). If they are installed, the compiler shows lines of
/// them in errors, which differ in each version. So the cases are compiled without them.
#[cfg(unix)]
mod sources {
    use std::{
        env, fs, io,
        os::unix::fs::{PermissionsExt, symlink},
        path::{Path, PathBuf},
        process::Command,
    };

    /// Set in the process that compiles the cases.
    const HIDDEN: &str = "COMPILE_FAIL_WITHOUT_SOURCES";
    /// The path of the sources in the sysroot of `rustc`.
    const PATH_IN_SYSROOT: [&str; 3] = ["lib", "rustlib", "src"];

    fn sysroot() -> PathBuf {
        let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(compiler).args(["--print", "sysroot"]).output().expect("the compiler runs");
        String::from_utf8(output.stdout).expect("a path").trim_end().into()
    }

    pub fn are_installed() -> bool {
        env::var_os(HIDDEN).is_none() && sysroot().join(PATH_IN_SYSROOT.join("/")).exists()
    }

    /// Runs a test again, with a compiler that does not find the sources.
    pub fn run_without(test: &str) {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-sources");
        let view = directory.join("sysroot");
        let _ = fs::remove_dir_all(&directory);
        link_all(&sysroot(), &view, &PATH_IN_SYSROOT).expect("a view of the compiler's directory");
        let wrapper = directory.join("rustc");
        fs::write(&wrapper, format!("#!/bin/sh\nexec \"$@\" --sysroot '{}'\n", view.display())).expect("written");
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("made a program");
        let mut again = Command::new(env::current_exe().expect("a name"));
        again.args(["--exact", test, "--nocapture"]).env(HIDDEN, "1").env("RUSTC_WRAPPER", wrapper);
        assert!(again.status().expect("it runs").success(), "see above");
    }

    /// Fills `view` with links to the content of `directory`, except the entry at the path `without`.
    fn link_all(directory: &Path, view: &Path, without: &[&str]) -> io::Result<()> {
        fs::create_dir_all(view)?;
        let Some((first, rest)) = without.split_first() else { return Ok(()) };
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name();
            let (from, to) = (directory.join(&name), view.join(&name));
            if name != **first {
                symlink(from, to)?;
            } else if !rest.is_empty() {
                link_all(&from, &to, rest)?;
            }
        }
        Ok(())
    }
}
