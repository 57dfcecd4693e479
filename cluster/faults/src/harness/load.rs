//! Many tasks of one client, and what became of each.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind, Executor, Future, TaskOptions};
use parking_lot::{Condvar, Mutex};

use super::journal::{HEAVY, Journal, Work, heavy_work, work};

/// Tasks that were submitted, and those that have ended.
pub struct Load {
    shared: Arc<Shared>,
    futures: Vec<Future<u32>>,
    journal: String,
    began: Instant,
}

#[derive(Default)]
struct Shared {
    ends: Mutex<Vec<End>>,
    changed: Condvar,
}

/// How a task has ended, and when.
#[derive(Clone, Debug)]
pub struct End {
    pub task: u32,
    pub at: Instant,
    pub error: Option<Error>,
}

impl Load {
    /// A load whose tasks write into this journal.
    pub fn new(journal: String) -> Load {
        Load { shared: Arc::default(), futures: Vec::new(), journal, began: Instant::now() }
    }

    /// Submits these many more tasks.
    ///
    /// # Panics
    ///
    /// If the executor refuses one.
    pub fn submit(&mut self, executor: &impl Executor, tasks: u32, milliseconds: u32, retries: u32) {
        for _ in 0..tasks {
            self.submit_one(executor, milliseconds, retries).unwrap_or_else(|error| panic!("refused: {error}"));
        }
    }

    /// Submits one more task.
    ///
    /// # Errors
    ///
    /// That of the executor.
    pub fn submit_one(&mut self, executor: &impl Executor, milliseconds: u32, retries: u32) -> Result<(), Error> {
        let options = TaskOptions::new().retries(retries);
        let future = executor.submit_with(options, work, self.next(milliseconds))?;
        self.add(future);
        Ok(())
    }

    /// Submits one more task, with a large argument.
    ///
    /// # Errors
    ///
    /// That of the executor.
    pub fn submit_heavy(&mut self, executor: &impl Executor, milliseconds: u32, retries: u32) -> Result<(), Error> {
        let options = TaskOptions::new().retries(retries);
        let bytes = vec![self.futures.len() as u8; HEAVY];
        let future = executor.submit_with(options, heavy_work, (self.next(milliseconds), bytes))?;
        self.add(future);
        Ok(())
    }

    fn next(&self, milliseconds: u32) -> Work {
        (self.journal.clone(), self.futures.len() as u32, milliseconds)
    }

    fn add(&mut self, future: Future<u32>) {
        let task = self.futures.len() as u32;
        let shared = self.shared.clone();
        future.add_done_callback(move |future| {
            let error = match future.exception(Duration::ZERO) {
                Ok(error) => error,
                Err(error) => Some(error),
            };
            shared.ends.lock().push(End { task, at: Instant::now(), error });
            shared.changed.notify_all();
        });
        self.futures.push(future);
    }

    /// Returns how many tasks have ended.
    pub fn ended(&self) -> usize {
        self.shared.ends.lock().len()
    }

    /// Returns the futures.
    pub fn futures(&self) -> &[Future<u32>] {
        &self.futures
    }

    /// Waits until this many tasks have ended.
    ///
    /// # Panics
    ///
    /// If they have not in time.
    pub fn wait(&self, tasks: usize, within: Duration) {
        let until = Instant::now() + within;
        let mut ends = self.shared.ends.lock();
        while ends.len() < tasks {
            let is_late = self.shared.changed.wait_until(&mut ends, until).timed_out();
            assert!(!is_late, "{} of {tasks} tasks have ended within {within:?}", ends.len());
        }
    }

    /// Returns how tasks have ended until now.
    pub fn ends(&self) -> Vec<End> {
        self.shared.ends.lock().clone()
    }

    /// Waits until all tasks have ended, and counts.
    ///
    /// # Panics
    ///
    /// As [`wait`](Load::wait), and if a task has not exactly one end, or a result is that of another task.
    pub fn finish(self, within: Duration) -> Summary {
        self.wait(self.futures.len(), within);
        let ends = self.ends();
        let journal = Journal::read(&self.journal);
        let mut summary = Summary { tasks: self.futures.len(), ..Summary::default() };
        let mut seen = vec![0; summary.tasks];
        let mut last = self.began;
        for end in &ends {
            seen[end.task as usize] += 1;
            summary.silence = summary.silence.max(end.at - last);
            last = end.at;
            match &end.error {
                None => summary.results += 1,
                Some(error) => {
                    *summary.errors.entry(format!("{:?}", error.kind())).or_default() += 1;
                    summary.first_error.get_or_insert_with(|| error.clone());
                }
            }
        }
        assert!(seen.iter().all(|ends| *ends == 1), "a task has not exactly one end");
        for (task, future) in self.futures.iter().enumerate() {
            match future.result(Duration::ZERO) {
                Ok(value) => assert_eq!(value as usize, task, "the result of another task"),
                Err(error) => assert_ne!(error.kind(), ErrorKind::Timeout, "task {task} has an end and no result"),
            }
        }
        summary.took = last - self.began;
        summary.executions = journal.executions();
        summary.most = journal.most();
        summary
    }
}

/// What became of a load.
#[derive(Debug, Default)]
pub struct Summary {
    pub tasks: usize,
    pub results: usize,
    /// The errors, by their kind.
    pub errors: BTreeMap<String, usize>,
    pub first_error: Option<Error>,
    /// How many executions the journal has.
    pub executions: usize,
    /// How many executions the task has that was executed most often.
    pub most: usize,
    /// The longest time in which no task has ended.
    pub silence: Duration,
    pub took: Duration,
}

impl Summary {
    /// Checks that every task has its result, after at most this many executions.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn all_done(&self, attempts: usize) {
        assert!(self.errors.is_empty(), "{self}: {:?}", self.first_error);
        assert_eq!(self.results, self.tasks, "{self}");
        assert!(self.most <= attempts, "{self}");
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { tasks, results, executions, most, .. } = self;
        write!(f, "{tasks} tasks, {results} results")?;
        for (kind, count) in &self.errors {
            write!(f, ", {count} `{kind}`")?;
        }
        write!(f, "; {executions} executions, of one task at most {most}")?;
        write!(f, "; longest silence {:.1} s of {:.1} s", self.silence.as_secs_f64(), self.took.as_secs_f64())
    }
}
