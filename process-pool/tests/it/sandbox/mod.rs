//! Workers in a sandbox.

#![allow(unsafe_code)]

pub mod attacks;
mod basics;
mod grants;
mod locking;
mod missing;
mod options;
mod process;

use process_pool::{ProcessPoolExecutor, Sandbox, Transport};

use super::support;

/// Builds a pool with one worker in a sandbox.
fn pool(transport: Transport, sandbox: Sandbox) -> ProcessPoolExecutor {
    // Otherwise the workers of this test program would keep their standard error for themselves.
    support::builder(transport, 1).sandbox(sandbox.inherit_env("TEST_OUTPUT")).build().expect("this system can keep it")
}

/// Builds a pool for the controls.
fn pool_without() -> ProcessPoolExecutor {
    support::pool(Transport::Ring, 1)
}

/// Finds a program of these tests.
pub fn find(program: &str) -> Option<fn()> {
    Some(match program {
        "attacks_the_sandbox" => attacks::attacks,
        "attacks_the_sandbox_as_nobody" => attacks::attacks_as_nobody,
        "removes_directories_as_nobody" => grants::removes_directories_as_nobody,
        "has_no_landlock" => missing::has_no_landlock,
        "has_old_landlock" => missing::has_old_landlock,
        "has_no_filters" => missing::has_no_filters,
        "is_in_a_container" => missing::is_in_a_container,
        "loses_landlock_later" => missing::loses_landlock_later,
        _ => return attacks::find(program),
    })
}
