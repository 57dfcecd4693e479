//! Other systems, which have no sockets that keep each message whole and carry descriptors with it. Nothing of this can
//! be made there.

use std::{
    convert::Infallible,
    fmt,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    time::Instant,
};

use executor_core::{Error, ErrorKind, Payload, codec::handles::Handle};

use super::{access::Access, connection::Connection};

/// How long a call waits.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "nothing waits")]
pub(super) enum Wait {
    Not,
    Until(Option<Instant>),
}

pub(super) fn pair() -> Result<(Handle, Handle), Error> {
    Err(unsupported("a pipe"))
}

pub(super) fn send<T: Payload>(_: BorrowedFd<'_>, _: &T) -> Result<(), Error> {
    Err(unsupported("a pipe"))
}

pub(super) fn receive<T: Payload>(_: BorrowedFd<'_>, _: Wait) -> Result<Option<T>, Error> {
    Err(unsupported("a pipe"))
}

/// Would accept connections from other processes. There is none on this system.
pub struct Listener(Infallible);

impl Listener {
    /// Fails.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported).
    pub fn bind(_: impl AsRef<Path>, _: Access<'_>) -> Result<Listener, Error> {
        Err(unsupported("a listener"))
    }

    /// Cannot be called.
    ///
    /// # Errors
    ///
    /// None.
    pub fn accept<S: Payload, R: Payload>(&self) -> Result<Connection<S, R>, Error> {
        match self.0 {}
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl<S: Payload, R: Payload> Connection<S, R> {
    /// Fails.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported).
    pub fn connect(_: impl AsRef<Path>, _: Access<'_>) -> Result<Connection<S, R>, Error> {
        Err(unsupported("a listener"))
    }
}

#[cold]
fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} works only on Linux: between threads, use queues"))
}
