//! The program that uses the pool: it submits tasks of several types, and reads their outcomes at the end.

use std::time::Duration;

use executor_core::{Backend, Error, Executor, Future, Map, MapOptions, Shutdown, Task, TaskOptions};
use parking_lot::Mutex;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Program {
    outcomes: Vec<Outcome>,
    submitted: Submitted,
}

/// Keeps the submitted tasks.
#[derive(Default)]
struct Submitted(Mutex<Vec<Task>>);

impl Backend for Submitted {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.0.lock().push(task);
        Ok(())
    }

    fn close(&self, _: Shutdown) {}

    fn join(&self, _: Option<Duration>) -> bool {
        true
    }

    fn max_workers(&self) -> usize {
        1
    }
}

/// The futures that the program waits for.
enum Outcome {
    Number(Future<u32>),
    Text(Future<String>),
    Bytes(Future<Vec<u8>>),
    Nested(Future<Vec<Result<Option<String>, Error>>>),
    Items(Box<Map<String>>),
}

impl Program {
    /// Returns how many tasks were submitted. A `map` counts as one.
    pub(super) fn tasks(&self) -> usize {
        self.outcomes.len()
    }

    /// Submits a task, or several for a `map`, and returns them.
    pub(super) fn submit(&mut self, kind: u8, has_limit: bool) -> Vec<Task> {
        let submitted = &self.submitted;
        let mut options = TaskOptions::new().retries(u32::from(kind >> 6));
        if has_limit {
            options = options.time_limit(Duration::from_millis(u64::from(kind)));
        }
        self.outcomes.push(match kind % 16 {
            0..=4 => Outcome::Number(submitted.submit_with(options, |n: u32| n, 1).expect("kept")),
            5..=8 => Outcome::Text(submitted.submit_with(options, |text: String| text, "text".into()).expect("kept")),
            // More than the ring holds, so that a part of it becomes a backlog.
            9 => {
                Outcome::Bytes(submitted.submit_with(options, |bytes: Vec<u8>| bytes, vec![1; 300_000]).expect("kept"))
            }
            10 | 11 => Outcome::Nested(submitted.submit_with(options, |()| Vec::new(), ()).expect("kept")),
            _ => {
                let options = MapOptions::new().chunksize(usize::from(kind >> 4) + 2);
                let map = submitted.map_with(options, |n: u32| n.to_string(), 0..20_u32);
                Outcome::Items(Box::new(map.expect("kept")))
            }
        });
        self.submitted.0.lock().drain(..).collect()
    }

    /// Reads every outcome.
    pub(super) fn check_outcomes(self) {
        fn check<T: Send + 'static>(future: &Future<T>) {
            assert!(future.done(), "a future has no outcome");
            if let Err(error) = future.result(Duration::ZERO) {
                let _ = format!("{error} {error:?} {:?} {:?}", error.panic(), error.worker_death());
            }
        }
        for outcome in self.outcomes {
            match outcome {
                Outcome::Number(future) => check(&future),
                Outcome::Text(future) => check(&future),
                Outcome::Bytes(future) => check(&future),
                Outcome::Nested(future) => check(&future),
                Outcome::Items(map) => assert!(map.count() <= 21),
            }
        }
    }
}
