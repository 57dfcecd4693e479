//! Ways for a worker to end that no Rust code can catch.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Crash {
    /// `std::process::abort`.
    Abort,
    /// A write where no memory is.
    Segfault,
    /// A recursion without an end.
    StackOverflow,
    /// An exit with success, which is none.
    ExitWithSuccess,
    /// An exit with a code.
    Exit,
}

impl Crash {
    /// All of them.
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

    /// The exit code that the parent is to see, where it is one.
    pub fn exit_code(self) -> Option<i32> {
        match self {
            Crash::ExitWithSuccess => Some(0),
            Crash::Exit => Some(77),
            Crash::Abort | Crash::Segfault | Crash::StackOverflow => None,
        }
    }
}

#[allow(unsafe_code)] // A segmentation fault is what is wanted.
fn segfault() -> ! {
    // SAFETY: none. The first page is never mapped, so the write ends the process and nothing else comes of it.
    unsafe { std::ptr::without_provenance_mut::<u32>(16).write_volatile(1) };
    unreachable!("the first page is mapped")
}

fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 128]);
    if depth == u64::MAX { depth } else { recurse(frame[0] + 1) + frame[127] }
}

/// An argument that ends the process which reads it.
#[derive(Debug, Serialize)]
pub struct CrashesWhenRead(pub Crash);

impl<'de> Deserialize<'de> for CrashesWhenRead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CrashesWhenRead, D::Error> {
        Crash::deserialize(deserializer)?.now()
    }
}

/// A result that ends the process which writes it.
#[derive(Debug, Deserialize)]
pub struct CrashesWhenWritten(pub Crash);

impl Serialize for CrashesWhenWritten {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        self.0.now()
    }
}
