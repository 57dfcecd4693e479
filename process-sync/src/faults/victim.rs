//! The process that has the fault.
#![allow(unsafe_code)]

use std::{
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd as _},
        unix::net::UnixStream,
    },
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use executor_core::{Error, Payload};

use super::{
    line::{receive, send},
    rows,
    table::{At, How, Row, Who},
};
use crate::place::{Place, place, tests::watch};

pub(super) const CELL: &str = "PROCESS_SYNC_FAULT_CELL";

/// What the processes tell each other, each with a number of four bytes.
pub(super) mod word {
    /// To the victim: do it now.
    pub(crate) const GO: u8 = b'g';
    /// To the victim: you were woken.
    pub(crate) const WAKE: u8 = b'w';
    /// To the victim, which sleeps: the fault happens now.
    pub(crate) const STRIKE: u8 = b'x';
    /// To the victim: nothing more is expected.
    pub(crate) const END: u8 = b'e';
    /// From the victim, with the number of its thread: it is about to sleep.
    pub(crate) const SLEEPS: u8 = b's';
    /// From the victim, with the number of a forked child or 0: the fault happens.
    pub(crate) const STRUCK: u8 = b'm';
    /// From the victim, with the length of the text of an error: it has done it.
    pub(crate) const DONE: u8 = b'd';
}

/// The process that has the fault.
pub(super) struct Victim {
    line: UnixStream,
    row: &'static Row,
    how: How,
    at: At,
}

/// Where such a process begins.
#[test]
fn entry() {
    let Ok(cell) = std::env::var(CELL) else { return };
    let numbers: Vec<usize> = cell.split(' ').map(|number| number.parse().unwrap()).collect();
    let [row, how, at] = numbers[..] else { panic!("a cell has three numbers") };
    let line = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    thread::spawn(|| {
        thread::sleep(2 * test_support::DEADLINE);
        std::process::exit(8);
    });
    // The one copy is enough, so that the test learns when all descriptors are closed.
    let mut victim = Victim { line, row: rows::all()[row], how: How::ALL[how], at: At::ALL[at] };
    (victim.row.victim)(&mut victim);
    let _ = victim.hear();
    std::process::exit(0);
}

impl Victim {
    pub(super) fn at(&self) -> At {
        self.at
    }

    /// Returns the object, which this process or the test makes.
    pub(super) fn object<T: Payload>(&mut self, make: impl FnOnce() -> T) -> T {
        if self.row.who != Who::Parent {
            return receive(&mut self.line);
        }
        let made = make();
        send(&self.line, &made);
        made
    }

    /// Waits until the test is ready.
    pub(super) fn wait_go(&mut self) {
        assert_eq!(self.hear(), word::GO);
    }

    /// Does what the row says, when the test is ready, and tells the test that it has.
    pub(super) fn act(&mut self, act: impl FnOnce() -> Result<(), Error>) {
        self.wait_go();
        self.watch();
        let text = match catch_unwind(AssertUnwindSafe(act)) {
            Ok(Ok(())) => String::new(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it panicked".to_string(),
        };
        watch(|_| {});
        say(&self.line, word::DONE, text.len() as u32);
        (&self.line).write_all(text.as_bytes()).unwrap();
    }

    /// Returns what waits for the test while the victim acts.
    pub(super) fn second_line(&self) -> SecondLine {
        SecondLine(self.line.try_clone().unwrap())
    }

    fn hear(&self) -> u8 {
        let mut word = [0];
        (&self.line).read_exact(&mut word).expect("the test says what to do");
        word[0]
    }

    /// Makes the fault happen when this thread comes there.
    fn watch(&self) {
        let (how, target) = (self.how, self.row.place(self.at));
        let line = self.line.try_clone().unwrap();
        let mut stage = match (self.at, self.row.who) {
            (At::Asleep, _) => Stage::UntilAsleep,
            (_, Who::WokenWaiter) => Stage::UntilWoken { has_slept: false },
            _ => Stage::Ready,
        };
        watch(move |passed| match &mut stage {
            Stage::UntilAsleep if passed == Place::BeforeSleep => {
                stage = Stage::Over;
                let line = line.try_clone().unwrap();
                say(&line, word::SLEEPS, own_thread());
                thread::spawn(move || {
                    let mut word = [0];
                    (&line).read_exact(&mut word).unwrap();
                    if word[0] == word::STRIKE {
                        strike(how, &line);
                    }
                    // Its number stays in use, so that a limit of descriptors leaves none free.
                    std::mem::forget(line);
                });
            }
            Stage::UntilWoken { has_slept } if passed == Place::BeforeSleep && !*has_slept => {
                *has_slept = true;
                say(&line, word::SLEEPS, own_thread());
            }
            Stage::UntilWoken { has_slept: true } if passed == Place::AfterSleep && is_woken(&line) => {
                if target == Place::BeforeLock {
                    stage = Stage::Over;
                    strike(how, &line);
                } else {
                    stage = Stage::Ready;
                }
            }
            Stage::Ready if passed == target => {
                stage = Stage::Over;
                strike(how, &line);
            }
            _ => {}
        });
    }
}

/// Another descriptor of the line.
pub(super) struct SecondLine(UnixStream);

impl SecondLine {
    /// Waits until the test tells the victim to go on.
    pub(super) fn wait_go(&self) {
        let mut word = [0];
        (&self.0).read_exact(&mut word).expect("the test says what to do");
        assert_eq!(word[0], word::GO);
    }
}

/// What has yet to happen before the fault.
enum Stage {
    UntilAsleep,
    UntilWoken { has_slept: bool },
    Ready,
    Over,
}

/// Passes the place in the user's code.
pub(super) fn user_code() {
    place(Place::UserCode);
}

fn say(mut line: &UnixStream, word: u8, number: u32) {
    let [a, b, c, d] = number.to_le_bytes();
    line.write_all(&[word, a, b, c, d]).unwrap();
}

/// Waits until the test has done what wakes this thread. So a thread that wakes for another reason before that finds
/// the object as one that was woken.
fn is_woken(mut line: &UnixStream) -> bool {
    let mut word = [0];
    line.read_exact(&mut word).expect("the test says that it has woken the victim");
    word[0] == word::WAKE
}

fn own_thread() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

fn strike(how: How, line: &UnixStream) {
    match how {
        How::Kill => {
            say(line, word::STRUCK, 0);
            wait_for_death();
        }
        How::Abort => {
            say(line, word::STRUCK, 0);
            std::process::abort();
        }
        How::Exit => {
            say(line, word::STRUCK, 0);
            std::process::exit(0);
        }
        How::Panic => {
            say(line, word::STRUCK, 0);
            std::panic::resume_unwind(Box::new("the fault"));
        }
        How::Stop => {
            say(line, word::STRUCK, 0);
            // SAFETY: it sends a signal to this process.
            assert_eq!(unsafe { libc::raise(libc::SIGSTOP) }, 0);
        }
        How::Fork => {
            // SAFETY: the child makes one system call, again and again.
            let child = unsafe { libc::fork() };
            if child == 0 {
                loop {
                    // SAFETY: it has no arguments.
                    unsafe { libc::pause() };
                }
            }
            say(line, word::STRUCK, child as u32);
            wait_for_death();
        }
        How::CloseAll => {
            // SAFETY: nothing of this process uses a descriptor after that: this thread waits for its death.
            unsafe { libc::syscall(libc::SYS_close_range, 0_u32, u32::MAX, 0_u32) };
            wait_for_death();
        }
        How::Limit => {
            // All descriptors below the limit are in use. With a limit of zero, the kernel would not send descriptors
            // either, unless this process had the right to exceed limits: the roster always has one under way.
            let lowest_free = line.try_clone().unwrap().as_raw_fd() as libc::rlim_t;
            let limit = libc::rlimit { rlim_cur: lowest_free, rlim_max: lowest_free };
            // SAFETY: the limit is read from a valid place.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
            say(line, word::STRUCK, 0);
        }
    }
}

fn wait_for_death() -> ! {
    loop {
        thread::park();
    }
}
