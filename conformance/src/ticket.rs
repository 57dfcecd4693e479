//! The task's side of a gate.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};

use crate::{hello::Hello, hub};

/// The task's side of a [`Gate`](crate::Gate). It can be the argument of a task on any back-end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub(crate) port: u16,
    /// Distinguishes this gate from an earlier one on the same port.
    pub(crate) key: u64,
    /// Identifies the task at its gate.
    pub label: u32,
}

impl Ticket {
    /// Reports that the task has arrived, waits until the gate releases it, and returns the label.
    pub fn pass(self) -> u32 {
        self.arrive(true);
        self.label
    }

    /// Reports that the task has arrived, and returns the label. The gate has recorded the arrival when this returns.
    pub fn report(self) -> u32 {
        self.arrive(false);
        self.label
    }

    /// Connects to the gate. If the gate no longer exists, this returns immediately, because the tasks of a rule that
    /// has ended must end too. If the system refuses, it panics: a task that does not reach its gate must not look like
    /// one that has passed it.
    fn arrive(self, waits: bool) {
        let hello = Hello { key: self.key, label: self.label, process: process::id(), thread: thread_number(), waits };
        let arrived = match hub::lines() {
            Some(lines) => lines.visit(hello),
            None => self.connect(hello),
        };
        match arrived {
            Err(error) if !means_closed(error.kind()) => panic!(
                "task {} cannot reach its gate: {error}; if its worker may not connect, let the worker connect before, \
                 with `HubAddress`",
                self.label
            ),
            _ => {}
        }
    }

    fn connect(self, hello: Hello) -> io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.write_all(&hello.to_bytes())?;
        stream.read_exact(&mut [0])
    }
}

/// Returns `true` for the errors of a connection whose other end is closed.
fn means_closed(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof
    )
}

/// Returns a number for the current thread. With the process id it identifies a worker.
fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_that_is_closed_is_told_from_one_that_is_refused() {
        for refused in [ErrorKind::PermissionDenied, ErrorKind::Unsupported, ErrorKind::AddrNotAvailable] {
            assert!(!means_closed(refused), "{refused:?}");
        }
        assert!(means_closed(ErrorKind::ConnectionRefused) && means_closed(ErrorKind::UnexpectedEof));
    }
}
