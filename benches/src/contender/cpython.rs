//! CPython's process pools, and its objects that processes share, which scripts drive and time (`cpython.py` and
//! `cpython_objects.py`, beside this file).

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::Outcome;

/// One of CPython's pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// `concurrent.futures.ProcessPoolExecutor`.
    ConcurrentFutures,
    /// `multiprocessing.Pool`.
    Multiprocessing,
}

impl Library {
    /// Both pools.
    pub const ALL: [Library; 2] = [Library::ConcurrentFutures, Library::Multiprocessing];

    /// Returns the name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Library::ConcurrentFutures => "CPython ProcessPoolExecutor",
            Library::Multiprocessing => "CPython multiprocessing.Pool",
        }
    }

    fn argument(self) -> &'static str {
        match self {
            Library::ConcurrentFutures => "concurrent.futures",
            Library::Multiprocessing => "multiprocessing",
        }
    }
}

/// An interpreter that runs one of the scripts and waits for commands.
#[derive(Debug)]
pub struct Cpython {
    child: Child,
    commands: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl Cpython {
    /// Starts an interpreter. The first command creates its pool.
    ///
    /// # Errors
    ///
    /// If there is no `python3`.
    pub fn start(library: Library, width: usize) -> Outcome<Cpython> {
        Cpython::run("cpython.py", &[library.argument(), &width.to_string()])
    }

    /// Starts an interpreter for the objects that processes share. A command starts the processes that it needs.
    ///
    /// # Errors
    ///
    /// If there is no `python3`.
    pub fn objects() -> Outcome<Cpython> {
        Cpython::run("cpython_objects.py", &[])
    }

    fn run(script: &str, arguments: &[&str]) -> Outcome<Cpython> {
        let mut child = Command::new("python3")
            .arg(format!("{}/src/contender/{script}", env!("CARGO_MANIFEST_DIR")))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(commands), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are piped");
        };
        Ok(Cpython { child, commands: Some(commands), replies: BufReader::new(replies) })
    }

    /// Runs a command, and returns how many nanoseconds it took.
    ///
    /// # Panics
    ///
    /// If the script fails.
    pub fn nanoseconds(&mut self, command: &str) -> f64 {
        let commands = self.commands.as_mut().expect("only drop takes it");
        // The line is written with one call, because the script treats each read as a line.
        commands.write_all(format!("{command}\n").as_bytes()).expect("the interpreter reads");
        let mut reply = String::new();
        self.replies.read_line(&mut reply).expect("the interpreter replies");
        reply.trim().parse().unwrap_or_else(|_| panic!("the script failed at {command:?}"))
    }
}

impl Drop for Cpython {
    fn drop(&mut self) {
        // The end of its input ends the script and its pool.
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}
