//! Two processes that exchange messages through a pair of sockets.
#![allow(unsafe_code)]

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::{fd::AsRawFd, unix::net::UnixStream},
    time::Instant,
};

use super::partner::Partner;
use crate::Outcome;

/// The name in reports.
pub const NAME: &str = "socketpair ping-pong";

/// A partner process that adds one to the first byte of a message and sends it back.
#[derive(Debug)]
pub struct SocketPair {
    socket: UnixStream,
    message: Vec<u8>,
    partner: Partner,
}

impl SocketPair {
    /// Starts the partner, for messages of `size` bytes.
    ///
    /// # Errors
    ///
    /// If the system refuses a socket or a process.
    pub fn start(size: usize) -> Outcome<SocketPair> {
        let (ours, theirs) = UnixStream::pair()?;
        let message = vec![0; size];
        let mut space = vec![0; size];
        let mut end = &theirs;
        // SAFETY: the closure reads and writes memory that is allocated already, and ends on an error.
        let partner = unsafe {
            Partner::fork(Some(theirs.as_raw_fd()), || {
                while end.read_exact(&mut space).is_ok() {
                    space[0] = space[0].wrapping_add(1);
                    if end.write_all(&space).is_err() {
                        break;
                    }
                }
            })
        }?;
        Ok(SocketPair { socket: ours, message, partner })
    }

    /// Sends the message to the partner and back `count` times, and returns how many nanoseconds all of it took.
    ///
    /// # Panics
    ///
    /// If the partner has ended.
    pub fn nanoseconds(&mut self, count: u64) -> f64 {
        let first = self.message[0];
        let start = Instant::now();
        for _ in 0..count {
            self.socket.write_all(&self.message).expect("the partner reads");
            self.socket.read_exact(&mut self.message).expect("the partner replies");
        }
        let cost = start.elapsed().as_nanos() as f64;
        assert_eq!(self.message[0], first.wrapping_add(count as u8));
        cost
    }
}

impl Drop for SocketPair {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        self.partner.join();
    }
}
