//! What the tasks themselves say of their executions, independently of the cluster.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    time::Duration,
};

use executor_core::task;

/// The argument of a task: the path of the journal, the number of the task, and how long it runs, in milliseconds.
pub type Work = (String, u32, u32);

/// A task that writes when it starts and when it ends.
pub fn work((path, number, milliseconds): Work) -> u32 {
    let attempt = task::current().map_or(0, |context| context.attempt());
    note(&path, 's', number, attempt);
    std::thread::sleep(Duration::from_millis(milliseconds.into()));
    note(&path, 'e', number, attempt);
    number
}

/// The same task, whose argument is too large for a message.
pub fn heavy_work((work_of_task, bytes): (Work, Vec<u8>)) -> u32 {
    assert!(bytes.len() == HEAVY && bytes.iter().all(|byte| *byte == work_of_task.1 as u8), "another argument");
    work(work_of_task)
}

/// The length of a large argument, in bytes.
pub const HEAVY: usize = 700_000;

/// Appends a line in one system call, so that lines of several processes do not mix.
fn note(path: &str, event: char, number: u32, attempt: u32) {
    let line = format!("{event} {number} {attempt} {}\n", std::process::id());
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the journal can be opened");
    file.write_all(line.as_bytes()).expect("the journal can be written");
}

/// An execution, as the task has written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    pub attempt: u32,
    pub pid: u32,
}

/// The executions of a row.
#[derive(Debug, Default)]
pub struct Journal {
    pub starts: BTreeMap<u32, Vec<Execution>>,
    pub ends: BTreeMap<u32, Vec<Execution>>,
}

impl Journal {
    pub fn read(path: &str) -> Journal {
        let mut journal = Journal::default();
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            let mut words = line.split(' ');
            let list = match words.next() {
                Some("s") => &mut journal.starts,
                Some("e") => &mut journal.ends,
                _ => panic!("a line of the journal is damaged: {line:?}"),
            };
            let mut number = || words.next().and_then(|word| word.parse().ok());
            let (Some(task), Some(attempt), Some(pid)) = (number(), number(), number()) else {
                panic!("a line of the journal is damaged: {line:?}");
            };
            list.entry(task).or_default().push(Execution { attempt, pid });
        }
        journal
    }

    /// Returns how many times tasks have started.
    pub fn executions(&self) -> usize {
        self.starts.values().map(Vec::len).sum()
    }

    /// Returns how many times the task that has started most often has started.
    pub fn most(&self) -> usize {
        self.starts.values().map(Vec::len).max().unwrap_or(0)
    }
}
