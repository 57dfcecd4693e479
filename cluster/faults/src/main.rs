//! The table of faults, and the agents and clients of its rows, which are processes of this program.

use std::process::ExitCode;

fn main() -> ExitCode {
    cluster_faults::main()
}
