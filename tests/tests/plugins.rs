//! A pool of processes in a dynamic library is refused, with the reason: a worker is the program run again, which does
//! not have the library before its `main`. Its `main` never runs a second time, and no process is left.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// The library, which cargo builds with the examples of this package.
fn plugin() -> PathBuf {
    let mut path = std::env::current_exe().expect("a name");
    path.pop();
    path.pop();
    path.push("examples/libplugin.so");
    assert!(path.exists(), "{} is missing: run `cargo build -p tests --example plugin`", path.display());
    path
}

/// Runs a program that loads the library. What it starts, and so every worker, would hold its output open, and the test
/// with it.
fn says_that_it_is_refused(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}", output.status);
    assert_eq!(said.matches("refused: Broken: a pool of processes cannot be built here").count(), 2, "{said}");
    assert!(said.contains("the dynamic library `") && said.contains("libplugin.so`"), "{said}");
    assert!(said.contains("threads: Ok(2)"), "{said}");
    said
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the name of a library is another")]
fn a_pool_in_a_library_that_is_loaded_later_is_refused_and_main_runs_once() {
    let said = says_that_it_is_refused(Command::new(env!("CARGO_BIN_EXE_host")).arg(plugin()));
    assert_eq!(said.matches("main runs").count(), 1, "{said}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the name of a library is another")]
fn a_pool_in_a_library_that_is_loaded_at_the_start_is_refused_and_main_runs_once() {
    let said = says_that_it_is_refused(Command::new(env!("CARGO_BIN_EXE_host")).env("LD_PRELOAD", plugin()));
    assert_eq!(said.matches("main runs").count(), 1, "{said}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the name of a library is another")]
fn a_pool_in_an_extension_of_python_is_refused_and_the_script_runs_once() {
    if Command::new("python3").arg("--version").output().is_err() {
        return eprintln!("skipped: an extension of Python: python3 is not installed");
    }
    let script =
        "import ctypes, os, sys; os.write(1, b'main runs\\n'); sys.exit(ctypes.CDLL(sys.argv[1]).builds_pools())";
    let said = says_that_it_is_refused(Command::new("python3").args(["-c", script]).arg(plugin()));
    assert_eq!(said.matches("main runs").count(), 1, "{said}");
}
