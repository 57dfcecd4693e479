//! Sandboxes: what the system enforces in a worker.
// What follows uses the verdicts.
#![allow(dead_code)]

#[cfg(all(
    target_endian = "little",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod calls;
mod numbers;
mod program;
#[cfg(all(
    target_endian = "little",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod verdicts;
