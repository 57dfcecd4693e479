//! What is known of each task by someone who sees everything.

use std::{cell::Cell, rc::Rc};

use cluster::client::Startable;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    #[default]
    Open,
    Outcome,
    Lost,
    Cancelled,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    pub is_running: bool,
    pub is_cancelled: bool,
    pub end: End,
    /// The attempts that have started, as bits.
    pub attempts: u8,
    /// How many attempts the client has given up.
    pub given_up: u8,
}

/// All tasks. Tickets share it.
#[derive(Clone)]
pub struct Journal {
    records: Rc<[Cell<Record>]>,
    /// Whether an agent is just saying that it has not started what it was granted.
    pub is_given_back: Rc<Cell<bool>>,
}

/// A task as a client has it.
pub struct Ticket {
    pub task: usize,
    journal: Journal,
}

/// How many times a task may run again.
pub fn retries(task: usize) -> u32 {
    (task % 2) as u32
}

impl Journal {
    pub fn new(tasks: usize) -> Journal {
        let records = (0..tasks).map(|_| Cell::default()).collect();
        Journal { records, is_given_back: Rc::default() }
    }

    pub fn ticket(&self, task: usize) -> Ticket {
        Ticket { task, journal: self.clone() }
    }

    pub fn of(&self, task: usize) -> Record {
        self.records[task].get()
    }

    fn change(&self, task: usize, change: impl FnOnce(&mut Record)) {
        let mut record = self.records[task].get();
        change(&mut record);
        self.records[task].set(record);
    }

    /// An attempt starts. No attempt starts twice, and none of a task that was cancelled unless the client had given
    /// it up before.
    pub fn starts(&self, task: usize, attempt: u32) {
        self.change(task, |record| {
            assert!(attempt <= 1 + retries(task), "task {task} starts attempt {attempt}");
            assert!(record.attempts & (1 << attempt) == 0, "task {task} starts attempt {attempt} twice");
            let is_given_up = attempt <= u32::from(record.given_up);
            assert!(is_given_up || record.end != End::Cancelled, "task {task} was cancelled and starts");
            record.attempts |= 1 << attempt;
        });
    }

    pub fn ends(&self, task: usize, end: End) {
        self.change(task, |record| {
            assert!(record.end == End::Open, "task {task} ends twice");
            assert!(end != End::Outcome || record.attempts != 0, "task {task} has an outcome and never ran");
            record.end = end;
        });
    }

    /// A user cancels a task. Returns whether it had not started.
    pub fn cancel(&self, task: usize) -> bool {
        let record = self.of(task);
        let may = record.end == End::Open && !record.is_running && !record.is_cancelled;
        if may {
            self.change(task, |record| (record.is_cancelled, record.end) = (true, End::Cancelled));
        }
        may
    }

    pub fn all(&self) -> impl Iterator<Item = Record> {
        self.records.iter().map(Cell::get)
    }
}

impl Startable for Ticket {
    fn begin(&self) -> bool {
        let may = !self.journal.of(self.task).is_cancelled;
        if may {
            self.journal.change(self.task, |record| record.is_running = true);
        }
        may
    }

    fn recall(&self) -> bool {
        let is_given_back = self.journal.is_given_back.get();
        self.journal.change(self.task, |record| {
            record.is_running = false;
            record.given_up += u8::from(!is_given_back);
        });
        true
    }
}
