//! Threads and processes that play a role.

use std::{
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use executor_core::Payload;
use test_support::DEADLINE;

use super::{Line, role};

const ROLE: &str = "PROCESS_SYNC_TEST_ROLE";

/// Where the partners of a test are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harness {
    Threads,
    Processes,
}

/// Runs a test with partners of each kind.
pub fn each_harness(test: fn(Harness)) {
    for harness in [Harness::Threads, Harness::Processes] {
        test_support::watched(move || test(harness));
    }
}

/// A thread or process that plays a role.
pub struct Partner {
    pub line: Line,
    body: Option<Body>,
}

enum Body {
    Thread(JoinHandle<()>),
    Process(Child),
}

impl Harness {
    /// Starts a partner, and passes it a value.
    pub fn start<T: Payload>(self, name: &'static str, value: &T) -> Partner {
        match self {
            Harness::Threads => {
                let (mine, other) = UnixStream::pair().unwrap();
                let body = thread::spawn(move || role(name)(&mut Line::new(other)));
                Partner::new(mine, Body::Thread(body), value)
            }
            Harness::Processes => child(name, value),
        }
    }
}

/// Starts a process that plays a role, and passes it a value.
pub fn child<T: Payload>(name: &'static str, value: &T) -> Partner {
    let (mine, other) = UnixStream::pair().unwrap();
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["support::partner::entry", "--exact", "--nocapture", "--quiet"])
        .env(ROLE, name)
        .stdin(OwnedFd::from(other))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Partner::new(mine, Body::Process(process), value)
}

/// Starts a process, waits until it marks a place, and kills it there.
pub fn dead<T: Payload>(name: &'static str, value: &T) {
    let mut partner = child(name, value);
    partner.line.wait_mark();
    partner.kill();
}

impl Partner {
    fn new<T: Payload>(socket: UnixStream, body: Body, value: &T) -> Partner {
        let mut line = Line::new(socket);
        line.send(value);
        Partner { line, body: Some(body) }
    }

    pub fn pid(&self) -> u32 {
        match &self.body {
            Some(Body::Process(process)) => process.id(),
            _ => panic!("it is no process"),
        }
    }

    /// Waits until it has played its role, without a panic.
    pub fn join(mut self) {
        match self.body.take() {
            Some(Body::Thread(thread)) => thread.join().unwrap(),
            Some(Body::Process(mut process)) => assert!(process.wait().unwrap().success()),
            None => {}
        }
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub fn kill(mut self) {
        let Some(Body::Process(mut process)) = self.body.take() else { panic!("a thread cannot be killed") };
        process.kill().unwrap();
        assert_eq!(process.wait().unwrap().signal(), Some(9));
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        if let Some(Body::Process(process)) = &mut self.body {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Where a process begins that this file started again. Does nothing in the tests themselves.
#[test]
fn entry() {
    let Ok(name) = std::env::var(ROLE) else { return };
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut line = Line::new(UnixStream::from(socket));
    // A test that panics leaves no process behind.
    thread::spawn(|| {
        thread::sleep(2 * DEADLINE);
        std::process::exit(8);
    });
    role(&name)(&mut line);
    std::process::exit(0);
}
