//! What two sides decide at the same moment.

use std::time::{Duration, Instant};

use executor_core::{ErrorKind, Executor, TaskOptions};
use test_support::DEADLINE;

use super::Run;
use crate::harness::journal::{Journal, work};

/// Spins, because a sleep is longer than what it should hit.
fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Row 15.
pub fn cancels(run: &mut Run) {
    let cluster = run.cluster(2);
    let path = cluster.journal("cancels");
    let tasks = run.amount(500, 10_000);
    let mut cancelled = vec![false; tasks as usize];
    let mut pending = Vec::new();
    for task in 0..tasks {
        let future = cluster.client.submit(work, (path.clone(), task, 0)).expect("it is accepted");
        // A task alone starts after some hundred microseconds.
        spin(Duration::from_micros(run.random.below(1500)));
        cancelled[task as usize] = future.cancel();
        pending.push(future);
    }
    for (task, future) in pending.iter().enumerate() {
        match future.result(DEADLINE) {
            Ok(value) => assert!(value as usize == task && !cancelled[task], "task {task} has a result"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
                assert!(cancelled[task], "task {task} is cancelled, and `cancel` has said no");
            }
        }
    }
    let journal = Journal::read(&path);
    for (task, cancelled) in cancelled.iter().enumerate() {
        let executions = journal.starts.get(&(task as u32)).map_or(0, Vec::len);
        assert_eq!(executions, usize::from(!cancelled), "task {task}, cancelled: {cancelled}");
    }
    let count = cancelled.iter().filter(|cancelled| **cancelled).count();
    let ran = cancelled.len() - count;
    if !run.is_short {
        assert!(count > 0 && ran > 0, "no race: {count} cancelled, {ran} ran");
    }
    run.figure("cancel against start", format!("{tasks} tasks: {count} cancelled, {ran} ran, none both"));
}

/// Row 16.
pub fn terminations(run: &mut Run) {
    let cluster = run.cluster(2);
    let path = cluster.journal("terminations");
    let tasks = run.amount(40, 10_000);
    let (mut finished, mut terminated, mut cancelled) = (0, 0, 0);
    for task in 0..tasks {
        let milliseconds = 1 + task % 3;
        let options = TaskOptions::new().retries(0);
        let work_of_task = (path.clone(), task, milliseconds);
        let future = cluster.client.submit_with(options, work, work_of_task).expect("it is accepted");
        spin(Duration::from_micros(run.random.below(6000)));
        future.terminate(Duration::ZERO);
        let result = future.result(DEADLINE);
        let journal = || Journal::read(&path);
        match result {
            Ok(value) => {
                assert_eq!(value, task);
                finished += 1;
                // The journal is long at the end, and is read as a whole below.
                if run.is_short {
                    assert_eq!(journal().ends.get(&task).map(Vec::len), Some(1), "task {task}");
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::Terminated => terminated += 1,
                ErrorKind::Cancelled => cancelled += 1,
                _ => panic!("task {task}: {error}"),
            },
        }
        assert!(future.done(), "it has an end");
    }
    let journal = Journal::read(&path);
    assert!(journal.most() <= 1, "a task ran twice");
    assert!(journal.ends.len() >= finished as usize, "a result without an end");
    assert!(journal.starts.len() <= (tasks - cancelled) as usize, "a task that was stopped in the queue has run");
    run.figure(
        "terminate against end",
        format!("{tasks} tasks: {finished} results, {terminated} `Terminated`, {cancelled} before they started"),
    );
}
