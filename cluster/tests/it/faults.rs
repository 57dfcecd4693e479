//! What a single machine does not have: agents that vanish, leave and come later.

use std::time::Duration;

use executor_core::{ErrorKind, Executor, Future, MapOptions, Payload, TaskOptions, task};
use test_support::{DEADLINE, SharedDir, add_line, touch, wait_for_file, wait_until};

use crate::loopback::Local;

/// Says that it runs, and waits until it may end.
fn runs((path, n): (String, u32)) -> (u32, u32) {
    let attempt = task::current().expect("a task").attempt();
    add_line(&format!("{path}.ran"), n);
    touch(&format!("{path}.{n}"));
    wait_for_file(&format!("{path}.end"));
    (n, attempt)
}

fn value<T: Payload>(future: &Future<T>) -> T {
    future.result(DEADLINE).expect("a value")
}

#[test]
fn the_tasks_of_an_agent_that_is_gone_fail_or_run_again_and_the_others_go_on() {
    let dir = SharedDir::new();
    let cluster = Local::new(2, None).expect("it starts");
    let submit = |n, retries| {
        cluster.submit_with(TaskOptions::new().retries(retries).name("work"), runs, (dir.path("t"), n)).expect("open")
    };
    let (once, twice) = (submit(0, 0), submit(1, 1));
    wait_until("both tasks", || dir.has("t.0") && dir.has("t.1"));
    let later = submit(2, 0);
    cluster.cut_agent();
    cluster.add_agent(2).expect("it starts");
    let error = once.result(DEADLINE).expect_err("its agent is gone");
    assert_eq!(error.kind(), ErrorKind::WorkerDied);
    let death = error.worker_death().expect("it is a death");
    assert_eq!((death.host(), death.pid(), death.task()), ("agent-0", 0, "work"));
    assert!(error.to_string().contains("agent `worker.agent-0` has not answered for 3"), "{error}");
    dir.touch("t.end");
    assert_eq!(value(&twice), (1, 2));
    assert_eq!(value(&later), (2, 1));
    let mut ran = dir.numbers("t.ran");
    ran.sort_unstable();
    assert_eq!(ran, [0, 1, 1, 2]);
}

#[test]
fn an_agent_that_leaves_ends_its_tasks_and_gives_back_the_others() {
    let dir = SharedDir::new();
    let cluster = Local::new(1, None).expect("it starts");
    let submit = |n| cluster.submit(runs, (dir.path("t"), n)).expect("open");
    let futures: Vec<_> = (0..4).map(submit).collect();
    wait_until("the first task", || dir.has("t.0"));
    assert!(!cluster.leave(Duration::ZERO), "a task runs");
    cluster.add_agent(1).expect("it starts");
    wait_until("the second task, on the other agent", || dir.has("t.1"));
    dir.touch("t.end");
    assert!(cluster.leave(DEADLINE));
    assert_eq!(futures.iter().map(value).collect::<Vec<_>>(), [(0, 1), (1, 1), (2, 1), (3, 1)]);
}

#[test]
fn tasks_wait_for_the_first_agent_and_can_be_cancelled_meanwhile() {
    let cluster = Local::new(0, None).expect("it starts");
    let futures: Vec<Future<u32>> = (0..5).map(|n| cluster.submit(|n: u32| n + 1, n).expect("open")).collect();
    assert!(futures[1].cancel() && !futures[0].running());
    wait_until("all copies", || cluster.messages() == 5);
    assert!(futures[3].cancel());
    cluster.add_agent(1).expect("it starts");
    assert_eq!([0, 2, 4].map(|n| value(&futures[n])), [1, 3, 5]);
    // The copies of the cancelled tasks are denied, and then gone.
    wait_until("an empty queue", || cluster.messages() == 0);
}

#[test]
fn the_death_of_a_worker_names_its_machine_and_costs_one_item_or_attempt() {
    let cluster = Local::new(2, None).expect("it starts");
    let dies = |n: u32| if n == 2 { std::process::abort() } else { n };
    let results = cluster.map_with(MapOptions::new().chunksize(4), dies, 0..6).expect("open");
    let failed: Vec<_> = results.filter_map(Result::err).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].kind(), failed[0].item()), (ErrorKind::WorkerDied, Some(2)));
    let once = cluster.submit(dies, 2).expect("open");
    let error = once.result(DEADLINE).expect_err("it aborts");
    let death = error.worker_death().expect("it is a death");
    assert_eq!((death.host(), death.signal()), ("this-machine", Some(6)));
    assert!(death.pid() != 0 && error.to_string().contains("on `this-machine`: "), "{error}");
    let attempts = |()| match task::current().expect("a task").attempt() {
        attempt @ ..3 => std::process::exit(attempt as i32),
        attempt => attempt,
    };
    let again = cluster.submit_with(TaskOptions::new().retries(2), attempts, ()).expect("open");
    assert_eq!(value(&again), 3);
}
