//! Another process, or another thread, that works in turns with this one.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    thread::{self, JoinHandle},
};

use concurrent_futures::{Executor, Function, Future, Payload, ProcessPoolExecutor, backend::codec::handles::Handle};
use serde::{Deserialize, Serialize};

use crate::Outcome;

/// Another process or thread. It works once each time that it is told to, and reports a number.
#[derive(Debug)]
pub struct Companion {
    line: UnixStream,
    work: Option<Work>,
}

#[derive(Debug)]
enum Work {
    Task(Future<()>, ProcessPoolExecutor),
    Thread(JoinHandle<()>),
}

/// The companion's end of the line on which it is told to work.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line(Handle);

impl Line {
    /// Calls `turn` each time that the companion is told to work, and reports the number that it returns.
    ///
    /// # Panics
    ///
    /// If there is no descriptor left.
    pub fn serve(self, mut turn: impl FnMut() -> u64) {
        // The companion's own descriptor, which lives until it is told to end.
        let mut line = UnixStream::from(self.0.as_fd().try_clone_to_owned().expect("a descriptor"));
        while line.read_exact(&mut [0]).is_ok() {
            if line.write_all(&turn().to_ne_bytes()).is_err() {
                return;
            }
        }
    }
}

impl Companion {
    /// Starts a process that calls `work`, as a task of a pool of one worker.
    ///
    /// # Errors
    ///
    /// If the system refuses a process or a descriptor.
    pub fn process<A: Payload>(work: impl Function<(A, Line), ()>, argument: A) -> Outcome<Companion> {
        let (line, other) = UnixStream::pair()?;
        let pool = ProcessPoolExecutor::new(1)?;
        let task = pool.submit(work, (argument, Line(Handle::new(other.into()))))?;
        Ok(Companion { line, work: Some(Work::Task(task, pool)) })
    }

    /// Starts a thread that calls `work`.
    ///
    /// # Errors
    ///
    /// If the system refuses a descriptor.
    pub fn thread(work: impl FnOnce(Line) + Send + 'static) -> Outcome<Companion> {
        let (line, other) = UnixStream::pair()?;
        let other = Line(Handle::new(other.into()));
        Ok(Companion { line, work: Some(Work::Thread(thread::spawn(move || work(other)))) })
    }

    /// Tells it to work.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn go(&mut self) {
        self.line.write_all(&[1]).expect("the companion waits");
    }

    /// Waits until it has worked, and returns the number that it reports.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn done(&mut self) -> u64 {
        let mut number = [0; 8];
        self.line.read_exact(&mut number).expect("the companion reports");
        u64::from_ne_bytes(number)
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        // The end of the line ends its work. It fails only if the companion has ended.
        let _ = self.line.shutdown(Shutdown::Both);
        match self.work.take() {
            Some(Work::Task(task, pool)) => {
                let _ = task.result(None);
                drop(pool);
            }
            Some(Work::Thread(thread)) => drop(thread.join()),
            None => {}
        }
    }
}
