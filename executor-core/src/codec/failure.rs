//! Why a value could not be written or read.

use std::{borrow::Cow, fmt};

use serde::{de, ser};

/// What a type's own `Serialize` or `Deserialize` says, or what this format does. One pointer wide, because every value
/// that is read is a result with it.
#[derive(Debug)]
pub(crate) struct Failure(Box<Cow<'static, str>>);

impl Failure {
    #[cold]
    pub(super) fn new(reason: impl Into<Cow<'static, str>>) -> Failure {
        Failure(Box::new(reason.into()))
    }

    /// The bytes end inside of a value.
    #[cold]
    pub(super) fn short() -> Failure {
        Failure::new("its bytes end too early; its `Serialize` and `Deserialize` may not fit together")
    }

    /// The bytes are not what this format writes.
    #[cold]
    pub(super) fn damaged() -> Failure {
        Failure::new("its bytes are damaged; its `Serialize` and `Deserialize` may not fit together")
    }

    /// The value is nested too deeply to be handled on what is left of this thread's stack.
    #[cold]
    pub(super) fn deep() -> Failure {
        Failure::new(
            "it is nested more deeply than the stack of this thread allows: use a thread with a larger stack, or send it \
             as a flat list whose elements name each other by index",
        )
    }

    /// The stack of the thread is too small for copies of the value.
    pub(super) fn wide() -> Failure {
        Failure::new(
            "it is too large for the stack of this thread: use a thread with a larger stack, or keep its large parts in \
             vectors instead of arrays",
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
