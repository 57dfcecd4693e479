//! Attempts that were written from the sandbox's promises alone, without a look at its filter.
//!
//! Those of the lists need nothing but a worker, and run beside the other rows. The other modules need a grant, a
//! descriptor that the program has sent, or damage only their own worker.

mod alone;
mod elders;
mod files;
mod given;
mod grants;
mod halves;
mod kernel;
mod limits;
mod link;
mod machine;
mod new_code;
mod sockets;

use super::{Attempt, Got, Reply, World, errno, from_io, got, reaches};

/// Returns the attempts that need nothing but a worker.
pub fn attempts() -> Vec<Attempt> {
    [halves::ATTEMPTS, elders::ATTEMPTS, kernel::ATTEMPTS, link::ATTEMPTS, machine::ATTEMPTS].concat()
}

/// Finds a program of these tests.
pub fn find(program: &str) -> Option<fn()> {
    Some(match program {
        "attacks_grants" => grants::attacks,
        "attacks_grants_as_nobody" => grants::attacks_as_nobody,
        "attacks_with_descriptors" => given::attacks,
        "attacks_with_descriptors_as_nobody" => given::attacks_as_nobody,
        "attacks_limits" => limits::attacks,
        _ => return None,
    })
}

/// Makes a row for a call that is made with arguments that can do no harm.
macro_rules! call {
    ($name:literal, $number:expr $(, $argument:expr)* $(,)?) => {
        Attempt {
            name: $name,
            run: |_| reaches(crate::system_call!($number $(, $argument)*)),
            reply: Reply::Stopped,
        }
    };
}
use call;
