//! The reason why a value could not be written or read.

use std::{borrow::Cow, cell::Cell, fmt};

use serde::{de, ser};

use crate::{Error, ErrorKind};

thread_local! {
    /// The kind of the error that this thread is turning into an error of serde.
    static KIND: Cell<Option<ErrorKind>> = const { Cell::new(None) };
}

/// Turns an error into one that `Serialize` returns. [`encode`](super::encode) returns an error of the same kind, not
/// [`Encode`](ErrorKind::Encode). Other formats get the message alone.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
/// use concurrent_futures::{Error, ErrorKind, backend::codec};
/// use serde::{Deserialize, Serialize, Serializer};
///
/// #[derive(Deserialize)]
/// struct Ticket;
/// impl Serialize for Ticket {
///     fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
///         Err(codec::ser_error(&Error::new(ErrorKind::InvalidState, "this ticket was used")))
///     }
/// }
/// assert_eq!(codec::encode(&Ticket, &mut Vec::new()).unwrap_err().kind(), ErrorKind::InvalidState);
/// ```
#[cold]
pub fn ser_error<E: ser::Error>(error: &Error) -> E {
    with_kind(error, |error| E::custom(error))
}

/// Turns an error into one that `Deserialize` returns. [`decode`](super::decode) returns an error of the same kind
/// instead of [`Decode`](ErrorKind::Decode). Other formats get the message alone.
#[cold]
pub fn de_error<E: de::Error>(error: &Error) -> E {
    with_kind(error, |error| E::custom(error))
}

fn with_kind<E>(error: &Error, make: impl FnOnce(&Error) -> E) -> E {
    KIND.set(Some(error.kind()));
    let made = make(error);
    // Another format has not taken it.
    KIND.set(None);
    made
}

/// The reason given by a `Serialize` or `Deserialize` implementation, or by this format. It is one pointer wide,
/// because every read of a value returns a `Result` with it.
#[derive(Debug)]
pub(crate) struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Cow<'static, str>,
    /// The kind of the error that was the reason, if an [`Error`] was.
    kind: Option<ErrorKind>,
}

impl Failure {
    #[cold]
    pub(super) fn new(reason: impl Into<Cow<'static, str>>) -> Failure {
        Failure(Box::new(Inner { reason: reason.into(), kind: None }))
    }

    /// Returns the kind of the error that was the reason, if an [`Error`] was.
    pub(super) fn kind(&self) -> Option<ErrorKind> {
        self.0.kind
    }

    /// Puts words before the reason.
    pub(super) fn after(mut self, words: &str) -> Failure {
        self.0.reason = format!("{words}{}", self.0.reason).into();
        self
    }

    #[cold]
    fn custom(reason: impl fmt::Display) -> Failure {
        Failure(Box::new(Inner { reason: reason.to_string().into(), kind: KIND.take() }))
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
    fn custom<T: fmt::Display>(reason: T) -> Failure {
        Failure::custom(reason)
    }
}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(reason: T) -> Failure {
        Failure::custom(reason)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.reason)
    }
}

impl std::error::Error for Failure {}
