//! The reason why a value could not be written or read.

use std::{borrow::Cow, fmt};

use serde::{de, ser};

/// The reason given by a `Serialize` or `Deserialize` implementation, or by this format. It is one pointer wide,
/// because every read of a value returns a `Result` with it.
#[derive(Debug)]
pub(crate) struct Failure(Box<Cow<'static, str>>);

impl Failure {
    #[cold]
    pub(super) fn new(reason: impl Into<Cow<'static, str>>) -> Failure {
        Failure(Box::new(reason.into()))
    }

    /// Returns the reason that the bytes end inside a value.
    #[cold]
    pub(super) fn short() -> Failure {
        Failure::new("its bytes end too early; its `Serialize` and `Deserialize` may not match")
    }

    /// Returns the reason that the bytes are not what this format writes.
    #[cold]
    pub(super) fn damaged() -> Failure {
        Failure::new("its bytes are damaged; its `Serialize` and `Deserialize` may not match")
    }

    /// Returns the reason that the value is nested too deeply for the rest of this thread's stack.
    #[cold]
    pub(super) fn deep() -> Failure {
        Failure::new(
            "it is nested more deeply than the stack of this thread allows: use a thread with a larger stack, or send \
             it as a flat list whose elements refer to each other by index",
        )
    }

    /// Returns the reason that this thread's stack is too small for the copies that reading the value makes.
    pub(super) fn wide() -> Failure {
        Failure::new(
            "it is too large for the stack of this thread: use a thread with a larger stack, or keep its large parts \
             in vectors instead of arrays",
        )
    }
}

impl ser::Error for Failure {
    #[cold]
    fn custom<T: fmt::Display>(reason: T) -> Failure {
        Failure::new(reason.to_string())
    }
}

impl de::Error for Failure {
    #[cold]
    fn custom<T: fmt::Display>(reason: T) -> Failure {
        Failure::new(reason.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}
