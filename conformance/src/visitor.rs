//! The connection of a task that is at a gate, as the gate sees it.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::hello::Hello;

/// A task that waits at a gate. Dropping it without [letting it go](Visitor::let_go) also ends its wait, unless it is
/// on a line.
pub(crate) enum Visitor {
    /// It has a connection of its own.
    Connected(TcpStream),
    /// It uses a connection that its worker has opened before: see [`hub`](crate::hub).
    OnLine(Arc<Line>),
}

impl Visitor {
    /// Ends its wait.
    pub(crate) fn let_go(self) {
        match self {
            Visitor::Connected(mut stream) => {
                // It fails only if the task is gone.
                let _ = stream.write_all(&[1]);
            }
            Visitor::OnLine(line) => line.let_go(),
        }
    }

    /// Returns `true` if the task no longer exists.
    pub(crate) fn is_gone(&mut self) -> bool {
        match self {
            Visitor::Connected(stream) => {
                let _ = stream.set_nonblocking(true);
                let read = stream.read(&mut [0]);
                let _ = stream.set_nonblocking(false);
                // A task sends nothing while it waits.
                !read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
            }
            // ORDERING: it only ever becomes true.
            Visitor::OnLine(line) => line.is_gone.load(Ordering::Relaxed),
        }
    }
}

/// A connection that tasks of one worker use one after the other.
pub(crate) struct Line {
    stream: TcpStream,
    is_gone: AtomicBool,
}

impl Line {
    pub(crate) fn new(stream: TcpStream) -> Line {
        Line { stream, is_gone: AtomicBool::new(false) }
    }

    /// Waits for the next task. Returns `None` when the worker has ended.
    pub(crate) fn next(&self) -> Option<Hello> {
        let mut hello = [0; Hello::LENGTH];
        (&self.stream).read_exact(&mut hello).ok()?;
        Some(Hello::from_bytes(&hello))
    }

    /// Ends the wait of the task that uses it.
    pub(crate) fn let_go(&self) {
        // It fails only if the task is gone.
        let _ = (&self.stream).write_all(&[1]);
    }

    /// Records that the worker has ended.
    pub(crate) fn note_gone(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
    }
}
