//! What `compare` does without the peers: it prints the list, or becomes the program that has them.

use std::{env, ffi::OsString, os::unix::process::CommandExt as _, process::Command};

use benches::Outcome;

/// Does what the command line says.
pub fn run() -> Outcome<()> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    if has("--help") || has("-h") {
        return crate::print_usage();
    }
    if has("--list") {
        return crate::print_list();
    }
    // Cargo tells its name to the programs that it runs. Its lock on the target directory is free by now.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command.args(["run", "--features", "peers", "--bin", "compare"]);
    command.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.arg("--").args(arguments);
    // Returns only if cargo cannot be started.
    let error = command.exec();
    Err(format!("cannot start {} to build the peers: {error}", cargo.display()).into())
}
