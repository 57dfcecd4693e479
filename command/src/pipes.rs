//! The pipes to a program, of which none ever blocks this thread.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
};

use rustix::event::{PollFd, PollFlags};

/// The ends of the pipes that are open, and the bytes that went through them.
#[derive(Default)]
pub(crate) struct Pipes {
    stdin: Option<ChildStdin>,
    input: Vec<u8>,
    written: usize,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    pub(crate) from_stdout: Vec<u8>,
    pub(crate) from_stderr: Vec<u8>,
}

/// The most bytes that one read takes.
const PIECE: usize = 64 << 10;

impl Pipes {
    /// Takes the pipes of a program.
    pub(crate) fn of(child: &mut Child, input: Vec<u8>) -> io::Result<Pipes> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        for end in [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)]
            .into_iter()
            .flatten()
        {
            rustix::io::ioctl_fionbio(end, true)?;
        }
        Ok(Pipes { stdin, input, stdout, stderr, ..Pipes::default() })
    }

    /// Returns `true` if the program, and all that it has started, has closed its output.
    pub(crate) fn output_has_ended(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }

    /// Adds what must be polled.
    pub(crate) fn watch<'a>(&'a self, watched: &mut Vec<PollFd<'a>>) {
        let mut add = |end: BorrowedFd<'a>, flags| watched.push(PollFd::from_borrowed_fd(end, flags));
        if let Some(stdin) = &self.stdin {
            add(stdin.as_fd(), PollFlags::OUT);
        }
        if let Some(stdout) = &self.stdout {
            add(stdout.as_fd(), PollFlags::IN);
        }
        if let Some(stderr) = &self.stderr {
            add(stderr.as_fd(), PollFlags::IN);
        }
    }

    /// Writes and reads what can be written and read now.
    pub(crate) fn serve(&mut self) {
        self.write();
        read(&mut self.stdout, &mut self.from_stdout);
        read(&mut self.stderr, &mut self.from_stderr);
    }

    fn write(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        while self.written < self.input.len() {
            match stdin.write(&self.input[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The program does not read its input any more.
                Err(_) => break,
            }
        }
        (self.stdin, self.input) = (None, Vec::new());
    }
}

/// Reads up to a bound, so that a program that writes without end does not keep this thread from its deadline.
fn read(pipe: &mut Option<impl Read>, into: &mut Vec<u8>) {
    const ROUNDS: usize = 16;
    for _ in 0..ROUNDS {
        let Some(open) = pipe else { return };
        let start = into.len();
        into.resize(start + PIECE, 0);
        let read = open.read(&mut into[start..]);
        into.truncate(start + read.as_ref().map_or(0, |count| *count));
        match read {
            Ok(0) => *pipe = None,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => *pipe = None,
        }
    }
}
