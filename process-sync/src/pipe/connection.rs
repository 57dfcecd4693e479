//! The ends of a connection.

use std::{
    borrow::Borrow,
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use executor_core::{
    Error, Payload,
    codec::{
        self,
        handles::{self, Handle},
    },
    deadline,
};
use rustix::event::PollFlags;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    poll::poll_one,
    socket::{self, Wait},
};
use crate::{errors, object::fingerprint};

/// One end of a [`pipe`](crate::pipe), or of a connection that a [`Listener`](crate::Listener) accepted. It sends
/// values of one type, and receives values of another.
///
/// A message arrives whole or not at all, whichever process dies. When the other end is gone, `recv` returns what it
/// had sent, and then [`Closed`](executor_core::ErrorKind::Closed). The other end is gone when every process has
/// dropped it: an end that is the argument of a task also lives in the submitting process until that task is done.
pub struct Connection<S, R = S>(End<S, R>);

impl<S: Payload, R: Payload> Connection<S, R> {
    /// Sends a value, and waits for room.
    ///
    /// # Errors
    ///
    /// - [`Closed`](executor_core::ErrorKind::Closed) if the other end is gone.
    /// - [`Encode`](executor_core::ErrorKind::Encode) if the value cannot be encoded.
    /// - [`Other`](executor_core::ErrorKind::Other) if the value holds handles, the other end has received everything,
    ///   and the user of this process has more descriptors under way than its limit (`ulimit -n`). It waits a second
    ///   for that to change.
    pub fn send(&self, value: impl Borrow<S>) -> Result<(), Error> {
        socket::send(self.as_fd(), value.borrow())
    }

    /// Receives a value, and waits for one.
    ///
    /// # Errors
    ///
    /// - [`Timeout`](executor_core::ErrorKind::Timeout).
    /// - [`Closed`](executor_core::ErrorKind::Closed) if the other end is gone, and has sent nothing more.
    /// - [`Decode`](executor_core::ErrorKind::Decode) if the value cannot be decoded. The next is there.
    pub fn recv(&self, timeout: impl Into<Option<Duration>>) -> Result<R, Error> {
        receive(self.as_fd(), timeout.into())
    }

    /// Receives a value if there is one.
    ///
    /// # Errors
    ///
    /// As [`recv`](Connection::recv).
    pub fn try_recv(&self) -> Result<Option<R>, Error> {
        socket::receive(self.as_fd(), Wait::Not)
    }
}

impl<S, R> Connection<S, R> {
    pub(super) fn with(socket: Handle) -> Connection<S, R> {
        Connection(End::with(socket))
    }

    /// Waits until a value can be received, or the other end is gone. Returns `false` if the time is over.
    pub fn poll(&self, timeout: impl Into<Option<Duration>>) -> bool {
        poll_one(self.as_fd(), PollFlags::IN, deadline::after(timeout.into()))
    }
}

/// The end of a [`pipe_simplex`](crate::pipe_simplex) that receives.
pub struct Receiver<T>(End<(), T>);

impl<T: Payload> Receiver<T> {
    /// Receives a value as [`Connection::recv`] does.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv`].
    pub fn recv(&self, timeout: impl Into<Option<Duration>>) -> Result<T, Error> {
        receive(self.as_fd(), timeout.into())
    }

    /// Receives a value if there is one.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv`].
    pub fn try_recv(&self) -> Result<Option<T>, Error> {
        socket::receive(self.as_fd(), Wait::Not)
    }
}

impl<T> Receiver<T> {
    pub(super) fn with(socket: Handle) -> Receiver<T> {
        Receiver(End::with(socket))
    }

    /// Waits as [`Connection::poll`] does.
    pub fn poll(&self, timeout: impl Into<Option<Duration>>) -> bool {
        poll_one(self.as_fd(), PollFlags::IN, deadline::after(timeout.into()))
    }
}

/// The end of a [`pipe_simplex`](crate::pipe_simplex) that sends.
pub struct Sender<T>(End<T, ()>);

impl<T> Sender<T> {
    pub(super) fn with(socket: Handle) -> Sender<T> {
        Sender(End::with(socket))
    }
}

impl<T: Payload> Sender<T> {
    /// Sends a value as [`Connection::send`] does.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub fn send(&self, value: impl Borrow<T>) -> Result<(), Error> {
        socket::send(self.as_fd(), value.borrow())
    }
}

fn receive<T: Payload>(socket: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<T, Error> {
    let value = socket::receive(socket, Wait::Until(deadline::after(timeout)))?;
    value.ok_or_else(|| errors::timed_out("connection", "a message"))
}

/// A socket, and what goes through it.
struct End<S, R> {
    socket: Handle,
    types: PhantomData<fn(S) -> R>,
}

impl<S, R> End<S, R> {
    fn with(socket: Handle) -> End<S, R> {
        End { socket, types: PhantomData }
    }
}

/// The types of an end, as numbers.
pub(super) fn types<S, R>() -> [u64; 2] {
    [fingerprint::<S>(), fingerprint::<R>()]
}

/// Each time that an end travels, it has another name: the receiver owns its descriptor alone, so that the end is gone
/// when it drops it.
impl<S, R> Serialize for End<S, R> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let copy = self
            .socket
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| codec::ser_error(&errors::from_system("send the end of a connection", &error)))?;
        (Handle::new(copy), types::<S, R>()).serialize(serializer)
    }
}

impl<'de, S, R> Deserialize<'de> for End<S, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<End<S, R>, D::Error> {
        let (socket, found): (Handle, [u64; 2]) = Deserialize::deserialize(deserializer)?;
        if found != types::<S, R>() {
            let error = errors::invalid_argument("this is the end of a connection for other values");
            return Err(codec::de_error(&error));
        }
        handles::forget(socket.name());
        Ok(End::with(socket))
    }
}

/// All ends travel, can be waited for, and show themselves.
macro_rules! impl_end {
    ($type:ident <$($value:ident),+>) => {
        impl<$($value),+> AsFd for $type<$($value),+> {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.socket.as_fd()
            }
        }

        impl<$($value),+> Serialize for $type<$($value),+> {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de, $($value),+> Deserialize<'de> for $type<$($value),+> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Deserialize::deserialize(deserializer).map($type)
            }
        }

        impl<$($value),+> fmt::Debug for $type<$($value),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type)).finish_non_exhaustive()
            }
        }
    };
}

impl_end!(Connection<S, R>);
impl_end!(Receiver<T>);
impl_end!(Sender<T>);
