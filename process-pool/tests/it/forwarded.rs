//! Tasks that another process submitted, and that this one passes on to its pool as bytes.

use std::time::Duration;

use executor_core::{
    Backend, Error, ErrorKind, Executor, MapOptions, Shutdown, Task, TaskId, TaskOptions, task,
    task::{Origin, Reply},
};
use process_pool::ProcessPoolExecutor;

use crate::support::{SharedDir, add_line, get, on_both, pool};

/// An executor whose tasks take the way that tasks from another machine take.
struct Forwarding(ProcessPoolExecutor);

impl Backend for Forwarding {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        let mut argument = Vec::new();
        let function = task.encode(&mut argument)?;
        let origin = Origin { task: task.id(), attempt: 5 };
        let options = TaskOptions::new().retries(task.retries());
        let (forwarded, reply) = Task::forwarded(options, origin, function, argument)?;
        assert!(task.begin());
        self.0.schedule(forwarded)?;
        reply.add_done_callback(|reply| drop(task.complete(Reply::of(reply.result(None)).into_bytes())));
        Ok(())
    }
    fn close(&self, mode: Shutdown) {
        self.0.close(mode);
    }
    fn join(&self, timeout: Option<Duration>) -> bool {
        self.0.join(timeout)
    }
    fn max_workers(&self) -> usize {
        self.0.max_workers()
    }
}

#[test]
fn a_death_costs_one_item_of_a_forwarded_batch_and_the_error_describes_it() {
    on_both(|transport| {
        let executor = Forwarding(pool(transport, 2));
        let dies_at_two = |n: u32| if n == 2 { std::process::abort() } else { n };
        let results: Vec<Result<u32, Error>> =
            executor.map_with(MapOptions::new().chunksize(4), dies_at_two, 0..6).unwrap().collect();
        for (number, result) in results.iter().enumerate() {
            match result {
                Ok(value) => assert_eq!((*value as usize, number != 2), (number, true)),
                Err(error) => {
                    assert_eq!((error.kind(), error.item()), (ErrorKind::WorkerDied, Some(2)));
                    assert!(error.worker_death().expect("the death travels").signal().is_some(), "{error}");
                }
            }
        }
    });
}

#[test]
fn a_forwarded_task_has_the_identity_of_its_submitter_in_every_attempt() {
    fn dies_once(path: String) -> (TaskId, u32) {
        let context = task::current().unwrap();
        add_line(&path, context.attempt());
        if context.attempt() == 5 {
            std::process::abort();
        }
        (context.id(), context.attempt())
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let executor = Forwarding(pool(transport, 1));
        let options = TaskOptions::new().retries(1);
        let future = executor.submit_with(options, dies_once, dir.path("attempts")).unwrap();
        assert_eq!(get(&future).unwrap(), (future.id(), 6));
        assert_eq!(dir.numbers("attempts"), [5, 6]);
    });
}
