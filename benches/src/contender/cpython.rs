//! CPython's process pools, which a script drives and times (`cpython.py`, beside this file).

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::Outcome;

/// Which of its pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// `concurrent.futures.ProcessPoolExecutor`.
    ConcurrentFutures,
    /// `multiprocessing.Pool`.
    Multiprocessing,
}

impl Library {
    /// Both.
    pub const ALL: [Library; 2] = [Library::ConcurrentFutures, Library::Multiprocessing];

    /// What it is called in reports.
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

/// An interpreter with one of the pools, which waits for commands.
#[derive(Debug)]
pub struct Cpython {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Cpython {
    /// Starts an interpreter. Its pool is made by the first command.
    ///
    /// # Errors
    ///
    /// If there is no `python3`.
    pub fn start(library: Library, width: usize) -> Outcome<Cpython> {
        let mut child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/contender/cpython.py"))
            .args([library.argument(), &width.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are piped");
        };
        Ok(Cpython { child, commands: Some(commands), answers: BufReader::new(answers) })
    }

    /// Has a command carried out, and answers how many nanoseconds that took.
    ///
    /// # Panics
    ///
    /// If the script fails.
    pub fn nanoseconds(&mut self, command: &str) -> f64 {
        let commands = self.commands.as_mut().expect("taken by the drop alone");
        // Written at once, because it is read at once.
        commands.write_all(format!("{command}\n").as_bytes()).expect("the interpreter reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the interpreter answers");
        answer.trim().parse().unwrap_or_else(|_| panic!("the script failed at {command:?}"))
    }
}

impl Drop for Cpython {
    fn drop(&mut self) {
        // The end of its input ends the script. Its pool goes with it.
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}
