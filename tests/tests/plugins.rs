//! A process pool in a dynamic library is refused with a reason. A worker is the program run again, and the program
//! does not load the library before its `main`. `main` never runs a second time.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// Returns the path of the library, which cargo builds with the examples of this package.
fn plugin() -> PathBuf {
    let mut path = std::env::current_exe().expect("this program has a path");
    path.pop();
    path.pop();
    path.push("examples/libplugin.so");
    assert!(path.exists(), "{} is missing: run `cargo build -p tests --example plugin`", path.display());
    path
}

/// Runs a program that loads the library. A worker that was left would hold the output open, and the test would hang.
fn prints_that_it_is_refused(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}", output.status);
    assert_eq!(said.matches("refused: Broken: a pool of processes cannot be built here").count(), 2, "{said}");
    assert!(said.contains("the dynamic library `") && said.contains("libplugin.so`"), "{said}");
    assert!(said.contains("threads: Ok(2)"), "{said}");
    said
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the library has another name")]
fn a_pool_in_a_library_that_is_loaded_at_run_time_is_refused() {
    let said = prints_that_it_is_refused(Command::new(env!("CARGO_BIN_EXE_host")).arg(plugin()));
    assert_eq!(said.matches("main runs").count(), 1, "{said}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the library has another name")]
fn a_pool_in_a_preloaded_library_is_refused() {
    let said = prints_that_it_is_refused(Command::new(env!("CARGO_BIN_EXE_host")).env("LD_PRELOAD", plugin()));
    assert_eq!(said.matches("main runs").count(), 1, "{said}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the library has another name")]
fn a_pool_in_a_python_extension_is_refused() {
    if Command::new("python3").arg("--version").output().is_err() {
        return eprintln!("skipped: an extension of Python: python3 is not installed");
    }
    let script =
        "import ctypes, os, sys; os.write(1, b'main runs\\n'); sys.exit(ctypes.CDLL(sys.argv[1]).builds_pools())";
    let said = prints_that_it_is_refused(Command::new("python3").args(["-c", script]).arg(plugin()));
    assert_eq!(said.matches("main runs").count(), 1, "{said}");
}
