//! The command line.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use lexopt::prelude::*;

pub const USAGE: &str = "\
Usage: backends [--executor inline|threads|processes|all] [--workers N] [--top N] [PATH...]

Takes a census of all files below each PATH on one executor, or on all of them, and compares.

  --executor NAME  where tasks run: inline (in the caller), threads, processes, or all [default: all]
  --workers N      workers of a pool [default: one for each processor]
  --top N          how many of the most frequent identifiers to show [default: 15]
  PATH             files or directories [default: the crate sources that cargo downloaded for this workspace]";

const DEFAULT_TOP: usize = 15;

#[derive(Debug)]
pub enum Command {
    Run(Args),
    Help,
}

#[derive(Debug)]
pub struct Args {
    pub executors: Vec<Choice>,
    pub workers: NonZeroUsize,
    pub top: usize,
    /// The paths. If there are none, the default is used.
    pub paths: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Inline,
    Threads,
    Processes,
}

impl Choice {
    /// Inline is first, because the others are compared with it.
    const ALL: [Choice; 3] = [Choice::Inline, Choice::Threads, Choice::Processes];

    pub fn name(self) -> &'static str {
        match self {
            Choice::Inline => "inline",
            Choice::Threads => "threads",
            Choice::Processes => "processes",
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut executors = Choice::ALL.to_vec();
    let mut workers = None;
    let mut top = DEFAULT_TOP;
    let mut paths = Vec::new();
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("executor") => executors = parser.value()?.parse_with(choices)?,
            Long("workers") => workers = Some(parser.value()?.parse()?),
            Long("top") => top = parser.value()?.parse()?,
            Short('h') | Long("help") => return Ok(Command::Help),
            Value(path) => paths.push(path.into()),
            _ => return Err(argument.unexpected()),
        }
    }
    let workers = match workers {
        Some(workers) => workers,
        // The number of processors that this process may use, or one if that is unknown.
        None => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    Ok(Command::Run(Args { executors, workers, top, paths }))
}

fn choices(name: &str) -> Result<Vec<Choice>, String> {
    if name == "all" {
        return Ok(Choice::ALL.to_vec());
    }
    match Choice::ALL.into_iter().find(|choice| choice.name() == name) {
        Some(choice) => Ok(vec![choice]),
        None => Err("it must be inline, threads, processes or all".to_owned()),
    }
}
