//! Pipes: connections of two ends, between threads and between processes.
//!
//! They work on Linux. On other systems, making a pipe or a listener is an error.

mod access;
mod connection;
#[cfg(target_os = "linux")]
mod listener;
#[cfg(not(target_os = "linux"))]
mod other;
mod poll;
#[cfg(target_os = "linux")]
mod socket;

use std::{os::fd::AsFd, time::Duration};

use executor_core::{Error, Payload, deadline};
use rustix::event::{PollFd, PollFlags};

#[cfg(target_os = "linux")]
pub use self::listener::Listener;
#[cfg(not(target_os = "linux"))]
use self::other as socket;
#[cfg(not(target_os = "linux"))]
pub use self::other::Listener;
pub use self::{
    access::Access,
    connection::{Connection, Receiver, Sender},
};

/// Makes a connection, and returns its two ends. What one sends the other receives.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::pipe;
/// let (mine, other) = pipe::<u64, String>()?;
/// std::thread::spawn(move || {
///     let number = other.recv(None)?;
///     other.send(format!("{number} bottles"))
/// });
/// mine.send(99_u64)?;
/// assert_eq!(mine.recv(None)?, "99 bottles");
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// # Errors
///
/// If the system refuses descriptors, and [`Unsupported`](executor_core::ErrorKind::Unsupported) on systems other than
/// Linux.
#[allow(clippy::type_complexity, reason = "the two ends are as the documentation shows them")]
pub fn pipe<A: Payload, B: Payload>() -> Result<(Connection<A, B>, Connection<B, A>), Error> {
    let (one, other) = socket::pair()?;
    Ok((Connection::with(one), Connection::with(other)))
}

/// Makes a connection in one direction.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::pipe_simplex;
/// let (receiver, sender) = pipe_simplex::<u64>()?;
/// sender.send(7_u64)?;
/// assert_eq!(receiver.recv(None)?, 7);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// The wrong direction does not compile:
///
/// ```compile_fail
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::pipe_simplex;
/// let (receiver, sender) = pipe_simplex::<u64>().unwrap();
/// sender.recv(None);
/// ```
///
/// # Errors
///
/// If the system refuses descriptors, and [`Unsupported`](executor_core::ErrorKind::Unsupported) on systems other than
/// Linux.
pub fn pipe_simplex<T: Payload>() -> Result<(Receiver<T>, Sender<T>), Error> {
    let (one, other) = socket::pair()?;
    Ok((Receiver::with(one), Sender::with(other)))
}

/// Waits until one of these can be received from, or the time is over. Returns the indices of all that can: connections
/// with a message or without another end, and any other descriptor that is readable.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use std::time::Duration;
/// use concurrent_futures::multiprocessing::{pipe, wait};
/// let ((first, _far), (second, other)) = (pipe::<u8, u8>()?, pipe::<u8, u8>()?);
/// assert!(wait(&[&first, &second], Duration::ZERO).is_empty());
/// other.send(1)?;
/// assert_eq!(wait(&[&first, &second], None), [1]);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub fn wait(many: &[&dyn AsFd], timeout: impl Into<Option<Duration>>) -> Vec<usize> {
    let mut files: Vec<PollFd<'_>> =
        many.iter().map(|one| PollFd::from_borrowed_fd(one.as_fd(), PollFlags::IN)).collect();
    poll::poll_all(&mut files, deadline::after(timeout.into()))
}
