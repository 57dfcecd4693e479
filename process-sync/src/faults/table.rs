//! The table: what a fault of a process that uses an object leaves for the others.
//!
//! A row is an object and a process that does something with it; `rows/` has them. A column is where the fault happens.
//! Each fault that ends the process leaves the same, so a cell has one entry for all of them, and [`Row::expected`]
//! says what the other faults leave.

use super::{trial::Trial, victim::Victim};
use crate::place::Place;

/// What the process is to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Producer,
    Consumer,
    Holder,
    /// It sleeps.
    Waiter,
    /// It has slept, and was woken.
    WokenWaiter,
    Recoverer,
    /// It has made the object, and the others have it from it.
    Parent,
}

/// The fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// `SIGKILL`, from outside.
    Kill,
    /// `abort`.
    Abort,
    /// `exit(0)`.
    Exit,
    /// A panic that the process catches.
    Panic,
    /// `SIGSTOP`, and later `SIGCONT`.
    Stop,
    /// `fork` without `exec`; then the process is killed, and the child lives.
    Fork,
    /// The process closes all of its descriptors.
    CloseAll,
    /// The process can open no more descriptors.
    Limit,
}

impl How {
    pub(super) const ALL: [How; 8] =
        [How::Kill, How::Abort, How::Exit, How::Panic, How::Stop, How::Fork, How::CloseAll, How::Limit];

    pub(super) fn name(self) -> &'static str {
        match self {
            How::Kill => "sigkill",
            How::Abort => "abort",
            How::Exit => "exit-0",
            How::Panic => "panic",
            How::Stop => "sigstop",
            How::Fork => "fork",
            How::CloseAll => "closes-descriptors",
            How::Limit => "no-descriptors",
        }
    }

    /// Returns `true` if the process does after it what it was about to do.
    pub(super) fn goes_on(self) -> bool {
        matches!(self, How::Stop | How::Limit)
    }
}

/// Where the fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    BeforeLock,
    Inside,
    BeforeCommit,
    BeforeUnlock,
    BeforeWake,
    Asleep,
    UserCode,
}

impl At {
    pub(super) const ALL: [At; 7] =
        [At::BeforeLock, At::Inside, At::BeforeCommit, At::BeforeUnlock, At::BeforeWake, At::Asleep, At::UserCode];

    pub(super) fn name(self) -> &'static str {
        match self {
            At::BeforeLock => "before the lock",
            At::Inside => "inside, before the bytes",
            At::BeforeCommit => "between bytes and commit",
            At::BeforeUnlock => "between commit and unlock",
            At::BeforeWake => "between unlock and wake",
            At::Asleep => "asleep",
            At::UserCode => "in the user's code",
        }
    }
}

/// What the others find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The object is as if the process had done nothing.
    Before,
    /// What the process did counts.
    After,
    /// The object is abandoned, or says that something is lost.
    Abandoned,
    /// The process has done all that it does, and holds nothing.
    Done,
}

/// An entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Leaves(Left),
    /// It cannot happen, for this reason.
    Never(&'static str),
}

pub(super) const BEFORE: Cell = Cell::Leaves(Left::Before);
pub(super) const AFTER: Cell = Cell::Leaves(Left::After);
pub(super) const ABANDONED: Cell = Cell::Leaves(Left::Abandoned);

pub(super) const NO_SLEEP: Cell = Cell::Never("it never waits");
pub(super) const NO_CODE: Cell = Cell::Never("no code of the user runs in it");
pub(super) const NO_STATE: Cell = Cell::Never("the lock protects what is outside of it, and has nothing to commit");
pub(super) const NO_LOCK: Cell = Cell::Never("it takes no lock");
pub(super) const ONE_CALL: Cell = Cell::Never("the message goes by one call of the kernel, without a lock");
pub(super) const IS_ASLEEP: Cell = Cell::Never("it sleeps; the woken waiter has this");
pub(super) const IS_NO_WAITER: Cell = Cell::Never("a process that waits is a waiter, which has a row of its own");
pub(super) const IS_AWAKE: Cell = Cell::Never("it is awake; the waiter has this");

const NO_PANIC: &str = "no code of the user runs there, and that of the library does not panic";

/// What the victim does, and what the test does.
type Sides = (fn(&mut Victim), fn(&mut Trial));

/// A process that does something with an object.
pub(super) struct Row {
    pub(super) object: &'static str,
    pub(super) who: Who,
    /// What it does, as a sentence about it.
    pub(super) does: &'static str,
    /// Does it, in the process that has the fault.
    pub(super) victim: fn(&mut Victim),
    /// Makes the fault happen, and checks what is left, in the process of the test.
    pub(super) check: fn(&mut Trial),
    /// What a death leaves, in the order of [`At::ALL`].
    pub(super) death: [Cell; At::ALL.len()],
    /// What a panic in the user's code leaves.
    pub(super) panic: Left,
    /// What the process leaves if it goes on.
    pub(super) end: Left,
    /// The place of [`At::Inside`].
    pub(super) inside: Place,
    /// What is left if it finds no descriptors, if it needs any. Then it has an error that says so.
    pub(super) without_descriptors: Option<Left>,
}

impl Row {
    pub(super) const fn new(
        object: &'static str,
        who: Who,
        does: &'static str,
        (victim, check): Sides,
        death: [Cell; At::ALL.len()],
    ) -> Row {
        Row {
            object,
            who,
            does,
            victim,
            check,
            death,
            panic: Left::Before,
            end: Left::After,
            inside: Place::Inside,
            without_descriptors: None,
        }
    }

    /// The same, done by the process that has made the object.
    pub(super) const fn by_the_parent(self) -> Row {
        Row { who: Who::Parent, ..self }
    }

    pub(super) const fn panics(self, panic: Left) -> Row {
        Row { panic, ..self }
    }

    pub(super) const fn ends(self, end: Left) -> Row {
        Row { end, ..self }
    }

    pub(super) const fn inside(self, inside: Place) -> Row {
        Row { inside, ..self }
    }

    pub(super) const fn without_descriptors(self, left: Left) -> Row {
        Row { without_descriptors: Some(left), ..self }
    }

    /// Returns what the fault leaves there.
    pub(super) fn expected(&self, how: How, at: At) -> Cell {
        let death = self.death[at as usize];
        match (death, how) {
            (Cell::Never(_), _) => death,
            (_, How::Panic) if at == At::UserCode => Cell::Leaves(self.panic),
            (_, How::Panic) => Cell::Never(NO_PANIC),
            (_, how) if how.goes_on() => Cell::Leaves(self.refused(how, at).unwrap_or(self.end)),
            _ => death,
        }
    }

    /// Returns what is left if the process has an error because of the fault.
    pub(super) fn refused(&self, how: How, at: At) -> Option<Left> {
        let is_early = matches!(at, At::BeforeLock | At::Inside | At::Asleep);
        self.without_descriptors.filter(|_| how == How::Limit && is_early)
    }

    /// Returns where the process is stopped.
    pub(super) fn place(&self, at: At) -> Place {
        match at {
            At::BeforeLock => Place::BeforeLock,
            At::Inside => self.inside,
            At::BeforeCommit => Place::BeforeCommit,
            At::BeforeUnlock => Place::AfterCommit,
            At::BeforeWake => Place::BeforeNotification,
            At::Asleep => Place::BeforeSleep,
            At::UserCode => Place::UserCode,
        }
    }
}
