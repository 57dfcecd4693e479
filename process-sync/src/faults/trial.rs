//! One cell of the table: a process that has the fault, and the process of the test, which checks what is left.
#![allow(unsafe_code)]

use std::{
    fs,
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{Child, Command, Stdio},
};

use executor_core::Payload;
use test_support::{DEADLINE, kill, state, wait_until};

use super::{
    line::{receive, send},
    rows,
    table::{At, Cell, How, Left, Row, Who},
    victim::{CELL, word},
};

/// A cell that is being checked.
pub(super) struct Trial {
    row: &'static Row,
    how: How,
    at: At,
    process: Child,
    line: UnixStream,
    /// The child of the victim.
    forked: Option<u32>,
}

impl Trial {
    /// Starts the process that will have the fault.
    pub(super) fn start(row: &'static Row, how: How, at: At) -> Trial {
        let (line, other) = UnixStream::pair().unwrap();
        line.set_read_timeout(Some(DEADLINE)).unwrap();
        let number = rows::all().iter().position(|known| std::ptr::eq(*known, row)).unwrap();
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["faults::victim::entry", "--exact", "--nocapture", "--quiet"])
            .env(CELL, format!("{number} {} {}", how as usize, at as usize))
            .stdin(OwnedFd::from(other))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Trial { row, how, at, process, line, forked: None }
    }

    pub(super) fn at(&self) -> At {
        self.at
    }

    /// Returns `true` if the victim sleeps at first, or is to be found asleep.
    pub(super) fn sleeps(&self) -> bool {
        self.at == At::Asleep || self.row.who == Who::WokenWaiter
    }

    /// Returns `true` if the victim does after the fault what it was about to do.
    pub(super) fn goes_on(&self) -> bool {
        self.how.goes_on()
    }

    /// Returns the object, which this process or the victim makes.
    pub(super) fn object<T: Payload>(&mut self, make: impl FnOnce() -> T) -> T {
        if self.row.who == Who::Parent {
            return receive(&mut self.line);
        }
        let made = make();
        send(&self.line, &made);
        made
    }

    /// Tells the victim to go on.
    pub(super) fn go(&self) {
        self.say(word::GO);
    }

    pub(super) fn object_name(&self) -> &'static str {
        self.row.object
    }

    /// Ends what is left of the victim.
    pub(super) fn end(&mut self) {
        if !self.how.goes_on() && self.how != How::Panic {
            let _ = self.process.kill();
        }
        // A victim that goes on ends by itself, with what it holds.
        let _ = (&self.line).write_all(&[word::END]);
        if std::thread::panicking() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
        if let Some(child) = self.forked.take() {
            kill(child, libc::SIGKILL);
            // SAFETY: it waits for a process that this one has inherited, and wants no status.
            unsafe { libc::waitpid(child as libc::pid_t, std::ptr::null_mut(), 0) };
        }
    }

    /// Makes the fault happen, and returns what it must leave. If the victim sleeps, `wake` gives it what it waits for:
    /// before the fault if it is to be woken, and after it otherwise.
    pub(super) fn run(&mut self, wake: impl FnOnce(&Trial)) -> Left {
        self.go();
        self.run_on(wake, |_| {})
    }

    /// The same for a victim that was told to go on. `then` does what must be done after a victim was woken.
    pub(super) fn run_on(&mut self, wake: impl FnOnce(&Trial), then: impl FnOnce(&Trial)) -> Left {
        if self.at == At::Asleep {
            self.wait_asleep();
            if self.how == How::Kill {
                self.end_process();
            } else {
                self.say(word::STRIKE);
                self.wait_struck();
            }
            if self.how == How::CloseAll {
                // It would go on when it wakes. In a pool, its end of the link tells it that it must end.
                self.end_process();
            }
            wake(self);
        } else if self.row.who == Who::WokenWaiter {
            self.wait_asleep();
            wake(self);
            self.say(word::WAKE);
            then(self);
            self.wait_struck();
        } else {
            self.wait_struck();
        }
        let Cell::Leaves(left) = self.row.expected(self.how, self.at) else { panic!("such a cell is not run") };
        if self.how.goes_on() || self.how == How::Panic {
            let text = self.wait_done();
            match self.how {
                How::Panic => assert_eq!(text, "it panicked"),
                How::Limit if self.row.refused(self.how, self.at).is_some() => {
                    assert!(text.ends_with("raise the limit of descriptors (ulimit -n)"), "{text}");
                }
                _ => assert_eq!(text, ""),
            }
        }
        left
    }

    /// Waits until the fault has happened.
    fn wait_struck(&mut self) {
        if self.how == How::CloseAll {
            let ended = (&self.line).read(&mut [0]);
            assert!(matches!(ended, Ok(0)) || ended.is_err_and(|error| error.raw_os_error() == Some(libc::ECONNRESET)));
            assert_ne!(state(self.process.id()), Some('Z'), "it closed its descriptors, and lives");
            return;
        }
        let child = self.hear(word::STRUCK);
        match self.how {
            How::Kill | How::Fork => {
                self.forked = Some(child).filter(|child| *child != 0);
                self.end_process();
            }
            How::Abort => assert_eq!(self.process.wait().unwrap().signal(), Some(libc::SIGABRT)),
            How::Exit => assert_eq!(self.process.wait().unwrap().code(), Some(0)),
            How::Stop => {
                let pid = self.process.id();
                wait_until("the process to stop", || state(pid) == Some('T'));
                kill(pid, libc::SIGCONT);
            }
            How::Panic | How::Limit | How::CloseAll => {}
        }
    }

    /// Waits until the victim's thread is asleep in the kernel.
    fn wait_asleep(&mut self) {
        let thread = self.hear(word::SLEEPS);
        let stat = format!("/proc/{}/task/{thread}/stat", self.process.id());
        wait_until("the victim to sleep", || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") S ")));
    }

    fn wait_done(&mut self) -> String {
        let mut text = vec![0; self.hear(word::DONE) as usize];
        (&self.line).read_exact(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn hear(&self, expected: u8) -> u32 {
        let mut found = [0; 5];
        (&self.line).read_exact(&mut found).expect("the victim says where it is");
        let [word, number @ ..] = found;
        assert_eq!(char::from(word), char::from(expected));
        u32::from_le_bytes(number)
    }

    fn say(&self, word: u8) {
        (&self.line).write_all(&[word]).unwrap();
    }

    fn end_process(&mut self) {
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.end();
    }
}
