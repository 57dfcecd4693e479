//! Workers in a sandbox.

pub mod attacks;
mod basics;

/// Finds a program of these tests.
pub fn find(program: &str) -> Option<fn()> {
    Some(match program {
        "attacks_the_sandbox" => attacks::attacks,
        "attacks_the_sandbox_as_nobody" => attacks::attacks_as_nobody,
        _ => return None,
    })
}
