//! Counts instructions with callgrind: runs a program under it, starts and stops the counting from inside the program,
//! and reads the counts.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, OsString},
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

/// Returns `true` if instructions can be counted on this machine.
pub fn is_installed() -> bool {
    let mut version = Command::new("valgrind");
    let version = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    cfg!(target_arch = "x86_64") && version.is_ok_and(|status| status.success())
}

/// Returns a command that runs this program and its workers under callgrind, which writes the counts to this directory.
pub(super) fn command(program: &Path, directory: &Path) -> Command {
    let mut out = OsString::from("--callgrind-out-file=");
    out.push(directory.join("counts.%p"));
    let mut command = Command::new("valgrind");
    command.args(["-q", "--tool=callgrind", "--trace-children=yes", "--instr-atstart=no"]).arg(out).arg(program);
    command
}

/// Starts counting in this process at zero.
pub(super) fn start() {
    request(START_INSTRUMENTATION, 0);
    request(ZERO_STATS, 0);
}

/// Stops counting, and writes the count since [`start`] under this name.
pub(super) fn stop(name: &CStr) {
    request(DUMP_STATS_AT, name.as_ptr().expose_provenance());
    request(STOP_INSTRUMENTATION, 0);
}

/// Reads the count with this name.
pub(super) fn total(directory: &Path, name: &str) -> io::Result<Option<u64>> {
    for file in fs::read_dir(directory)? {
        let text = fs::read_to_string(file?.path())?;
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        if value("desc: Trigger: Client Request: ") == Some(name) {
            return Ok(value("totals: ").and_then(|total| total.trim().parse().ok()));
        }
    }
    Ok(None)
}

// The requests of `callgrind.h`: two letters and a number.
const ZERO_STATS: usize = 0x4354_0001;
const DUMP_STATS_AT: usize = 0x4354_0003;
const START_INSTRUMENTATION: usize = 0x4354_0004;
const STOP_INSTRUMENTATION: usize = 0x4354_0005;

/// Sends a request to valgrind. Does nothing if the program does not run under it.
#[cfg(target_arch = "x86_64")]
fn request(number: usize, argument: usize) {
    let request = [number, argument, 0, 0, 0, 0];
    // SAFETY: the rotations add up to whole turns and the exchange is of a register with itself, so outside of valgrind
    // only the flags change. Valgrind knows the sequence, reads the request that RAX points to, and writes its result
    // to RDX.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(),
            inout("rdx") 0_usize => _,
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn request(_: usize, _: usize) {}
