//! The same program in another build, whose agents must not run the tasks of the first one.

use std::process::ExitCode;

/// What makes it another build.
#[used]
static OTHER: &str = "another build";

fn main() -> ExitCode {
    cluster_faults::main()
}
