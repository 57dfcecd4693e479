//! A process pool in a dynamic library is refused with a reason, because a worker is the program run again, without the
//! library. `main` never runs a second time.
// A static program loads no libraries.
#![cfg(not(target_feature = "crt-static"))]

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
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

/// Runs a program that loads the library, and checks its output. A worker that did not end would hold the output open,
/// and the test would hang.
fn output_of_refused(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {text}", output.status);
    assert_eq!(text.matches("refused: Broken: a pool of processes cannot be built here").count(), 3, "{text}");
    assert_eq!(text.matches("process refused: Broken: ").count(), 1, "{text}");
    assert!(text.contains("the dynamic library `") && text.contains("libplugin.so`"), "{text}");
    assert!(text.contains("threads: Ok(2)"), "{text}");
    text
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the library has another name")]
fn a_pool_in_a_library_that_is_loaded_at_run_time_is_refused() {
    let text = output_of_refused(Command::new(env!("CARGO_BIN_EXE_host")).arg(plugin()));
    assert_eq!(text.matches("main runs").count(), 1, "{text}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the library has another name")]
fn a_pool_in_a_preloaded_library_is_refused() {
    let text = output_of_refused(Command::new(env!("CARGO_BIN_EXE_host")).env("LD_PRELOAD", plugin()));
    assert_eq!(text.matches("main runs").count(), 1, "{text}");
}

/// Returns what an ELF file says about its processor: the class, the byte order and the machine.
fn processor(file: &Path) -> io::Result<[u8; 4]> {
    let mut head = [0; 20];
    File::open(file)?.read_exact(&mut head)?;
    Ok([head[4], head[5], head[18], head[19]])
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the library has another name")]
fn a_pool_in_a_python_extension_is_refused() {
    let Ok(python) = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output() else {
        return eprintln!("skipped: an extension of Python: python3 is not installed");
    };
    let python = PathBuf::from(String::from_utf8(python.stdout).expect("a path").trim_end());
    if processor(&python).expect("a program") != processor(&plugin()).expect("a library") {
        return eprintln!("skipped: an extension of Python: python3 is a program for another processor");
    }
    let script =
        "import ctypes, os, sys; os.write(1, b'main runs\\n'); sys.exit(ctypes.CDLL(sys.argv[1]).builds_pools())";
    let text = output_of_refused(Command::new("python3").args(["-c", script]).arg(plugin()));
    assert_eq!(text.matches("main runs").count(), 1, "{text}");
}
