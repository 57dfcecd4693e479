//! Workers in a sandbox.

#![allow(unsafe_code)]

pub mod attacks;
mod basics;
mod grants;
mod locking;

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
        _ => return None,
    })
}
