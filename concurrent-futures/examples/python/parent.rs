//! Python: `os.fork()` returns twice; the child prints its pid and that of its parent from `getppid()`. Here the child
//! is a `Process`, because a fork of a program with threads can only call what signal handlers may.

use std::process;

use concurrent_futures::{
    Error, ErrorKind,
    multiprocessing::{Process, parent_process},
};

fn child(_: ()) -> Option<u32> {
    let parent = parent_process()?;
    println!("I am child process ({}) and my parent is {}.", process::id(), parent.pid());
    Some(parent.pid())
}

pub fn run() -> Result<(), Error> {
    println!("Process ({}) start...", process::id());
    let child = Process::spawn(child, ())?;
    println!("I ({}) just created a child process ({}).", process::id(), child.pid());
    match child.result(None)? {
        Some(parent) if parent == process::id() => Ok(()),
        other => Err(Error::new(ErrorKind::Other, format!("the child takes {other:?} for its parent"))),
    }
}
