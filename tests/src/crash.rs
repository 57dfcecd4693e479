//! Ends of a worker that no Rust code can catch.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Crash {
    /// `std::process::abort`.
    Abort,
    /// A read of unmapped memory.
    Segfault,
    /// Endless recursion.
    StackOverflow,
    /// An exit with code 0, which also counts as a death of the worker.
    ExitWithSuccess,
    /// An exit with a code.
    Exit,
}

impl Crash {
    /// All crashes.
    pub const ALL: [Crash; 5] =
        [Crash::Abort, Crash::Segfault, Crash::StackOverflow, Crash::ExitWithSuccess, Crash::Exit];

    /// Ends the process.
    pub fn now(self) -> ! {
        match self {
            Crash::Abort => std::process::abort(),
            Crash::Segfault => segfault(),
            Crash::StackOverflow => {
                let depth = recurse(1);
                unreachable!("the stack held {depth} calls")
            }
            Crash::ExitWithSuccess => std::process::exit(0),
            Crash::Exit => std::process::exit(77),
        }
    }

    /// Returns the exit code that the parent must see, if the crash has one.
    pub fn exit_code(self) -> Option<i32> {
        match self {
            Crash::ExitWithSuccess => Some(0),
            Crash::Exit => Some(77),
            Crash::Abort | Crash::Segfault | Crash::StackOverflow => None,
        }
    }
}

#[allow(unsafe_code)] // The segmentation fault is intended.
fn segfault() -> ! {
    // SAFETY: not sound on purpose. The first page is never mapped, so the read only ends the process.
    let read = unsafe { std::ptr::without_provenance::<u8>(16).read_volatile() };
    unreachable!("the first page is mapped, and holds {read}")
}

fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 128]);
    if depth == u64::MAX { depth } else { recurse(frame[0] + 1) + frame[127] }
}

/// An argument that ends the process that decodes it.
#[derive(Debug, Serialize)]
pub struct CrashesWhenRead(pub Crash);

impl<'de> Deserialize<'de> for CrashesWhenRead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CrashesWhenRead, D::Error> {
        Crash::deserialize(deserializer)?.now()
    }
}

/// A result that ends the process that encodes it.
#[derive(Debug, Deserialize)]
pub struct CrashesWhenWritten(pub Crash);

impl Serialize for CrashesWhenWritten {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        self.0.now()
    }
}
