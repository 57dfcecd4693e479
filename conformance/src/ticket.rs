//! The task's side of a gate.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};

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
    /// has ended must end too.
    fn arrive(self, waits: bool) {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return };
        let hello = Hello { key: self.key, label: self.label, process: process::id(), thread: thread_number(), waits };
        if stream.write_all(&hello.to_bytes()).is_ok() {
            let _ = stream.read(&mut [0]);
        }
    }
}

/// Returns a number for the current thread. With the process id it identifies a worker.
fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

/// What a task sends to its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) key: u64,
    pub(crate) label: u32,
    pub(crate) process: u32,
    pub(crate) thread: u64,
    /// Whether the task waits until it is released.
    pub(crate) waits: bool,
}

impl Hello {
    pub(crate) const LENGTH: usize = 8 + 4 + 4 + 8 + 1;

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Hello::LENGTH);
        bytes.extend_from_slice(&self.key.to_le_bytes());
        bytes.extend_from_slice(&self.label.to_le_bytes());
        bytes.extend_from_slice(&self.process.to_le_bytes());
        bytes.extend_from_slice(&self.thread.to_le_bytes());
        bytes.push(u8::from(self.waits));
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Hello::LENGTH]) -> Hello {
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        Hello {
            key: number(&bytes[..8]),
            label: number(&bytes[8..12]) as u32,
            process: number(&bytes[12..16]) as u32,
            thread: number(&bytes[16..24]),
            waits: bytes[24] == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_decoded_as_it_was_encoded() {
        let hello = Hello { key: u64::MAX - 1, label: 7, process: u32::MAX, thread: 1 << 40, waits: true };
        let bytes = hello.to_bytes().try_into().expect("it has this length");
        assert_eq!(Hello::from_bytes(&bytes), hello);
    }
}
