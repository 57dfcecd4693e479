//! Tasks that are passed on as bytes: what an agent on another machine does.

use std::{sync::Arc, time::Duration};

use executor_core::{
    Backend, Error, ErrorKind, Executor, InlineExecutor, MapOptions, Shutdown, Task, TaskOptions,
    function::batch,
    task::{self, Encoded, Origin, Reply},
};

use crate::support::{Manual, Remote, kind};

/// Encodes each task, and passes the bytes on to another back-end as a task of its own.
struct Forwarding<B> {
    to: B,
    /// The attempt with which the other back-end begins.
    attempt: u32,
}

impl<B: Backend> Forwarding<B> {
    fn forward(&self, task: Task) -> Result<(), Error> {
        let mut argument = Vec::new();
        let function = task.encode(&mut argument)?;
        let mut options = TaskOptions::new().priority(task.priority()).retries(task.retries());
        options = task.custom_name().into_iter().fold(options, TaskOptions::name);
        options = task.time_limit().into_iter().fold(options, TaskOptions::time_limit);
        let origin = Origin { task: task.id(), attempt: self.attempt };
        let (forwarded, reply) = Task::forwarded(options, origin, function, argument)?;
        assert_eq!(forwarded.origin(), Some(origin));
        assert!(task.begin());
        self.to.schedule(forwarded)?;
        reply.add_done_callback(|reply| drop(task.complete(Reply::of(reply.result(None)).into_bytes())));
        Ok(())
    }
}

impl<B: Backend> Backend for Forwarding<B> {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.forward(task)
    }
    fn close(&self, mode: Shutdown) {
        self.to.close(mode);
    }
    fn join(&self, timeout: Option<Duration>) -> bool {
        self.to.join(timeout)
    }
    fn max_workers(&self) -> usize {
        self.to.max_workers()
    }
}

fn inline() -> Forwarding<InlineExecutor> {
    Forwarding { to: InlineExecutor::new(), attempt: 1 }
}

#[test]
fn a_forwarded_task_returns_what_the_function_returns() {
    let twice = inline().submit(|text: String| text.repeat(2), "ab".repeat(20)).expect("accepted");
    assert_eq!(twice.result(None).expect("a value"), "ab".repeat(40));
    // It may be forwarded again, by a machine that has agents of its own.
    let again = Forwarding { to: inline(), attempt: 1 };
    assert_eq!(again.submit(|(a, b)| a + b, (1u8, 2u8)).expect("accepted").result(None).expect("a value"), 3);
}

#[test]
fn a_panic_is_the_reply_and_keeps_its_place() {
    let future = inline().submit(|n: u32| if n == 3 { panic!("three") } else { n }, 3).expect("accepted");
    let error = future.result(None).expect_err("it panicked");
    let panic = error.panic().expect("the reply has the panic");
    assert!(panic.location().expect("and its place").contains("forwarded.rs:"));
    assert_eq!(panic.message(), "three");
}

#[test]
fn an_item_of_a_batch_fails_alone() {
    let odd = |n: u32| if n % 2 == 1 { panic!("odd") } else { n };
    let results = inline().map_with(MapOptions::new().chunksize(3), odd, 0..7).expect("accepted");
    let failed: Vec<Option<usize>> = results.map(|result| result.err().and_then(|error| error.item())).collect();
    assert_eq!(failed, [None, Some(1), None, Some(3), None, Some(5), None]);
}

#[test]
fn a_task_sees_the_identity_that_it_has_where_it_was_submitted() {
    let seen = || |()| task::current().map(|context| (context.id(), context.attempt(), context.name().to_string()));
    let executor = Forwarding { to: InlineExecutor::new(), attempt: 3 };
    let future = executor.submit_with(TaskOptions::new().name("parse"), seen(), ()).expect("accepted");
    let id = future.id();
    assert_eq!(future.result(None).expect("a value"), Some((id, 3, "parse".to_string())));
    // Without a name of its own, it has that of the function here too.
    let (_, _, name) = executor.submit(seen(), ()).expect("accepted").result(None).expect("a value").expect("a task");
    assert!(name.contains("forwarded::"), "{name}");
}

#[test]
fn options_are_those_that_were_given_and_a_full_queue_is_never_waited_for() {
    let manual = Manual::new();
    let options = TaskOptions::new().name("n").priority(2).retries(4).time_limit(Duration::from_secs(9));
    let _future = Forwarding { to: manual.clone(), attempt: 2 }.submit_with(options, |()| (), ()).expect("accepted");
    let task = manual.take();
    assert_eq!((task.name(), task.priority(), task.retries()), ("n", 2, 4));
    assert_eq!((task.time_limit(), task.may_wait()), (Some(Duration::from_secs(9)), false));
    task.run();
}

#[test]
fn an_executor_that_fails_a_forwarded_task_is_the_reply() {
    let manual = Manual::new();
    let forwarding = Forwarding { to: manual.clone(), attempt: 1 };
    let future = forwarding.submit(|n: u64| n, 1).expect("accepted");
    drop(manual.take().fail(Error::new(ErrorKind::TimeLimit, "too slow")));
    let error = future.result(None).expect_err("failed");
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::TimeLimit, "too slow"));
    let future = forwarding.submit(|n: u64| n, 1).expect("accepted");
    drop(manual.take());
    assert_eq!(kind(&future), ErrorKind::Broken);
}

#[test]
fn a_batch_with_missing_or_additional_bytes_is_refused_before_it_is_a_task() {
    let remote = Remote::default();
    let _map = remote.map_with(MapOptions::new().chunksize(3), |n: u64| n, 0..3).expect("accepted");
    let written = remote.take();
    let forward = |batch, argument: &[u8]| {
        let function = Encoded { entry: written.encoded.entry, batch: Some(batch) };
        let origin = Origin { task: written.task.id(), attempt: 1 };
        Task::forwarded(TaskOptions::new(), origin, function, argument).map(drop)
    };
    forward(3, &written.arguments).expect("what was sent");
    let (shorter, longer) = (&written.arguments[1..], [&written.arguments[..], &[0]].concat());
    for (batch, argument) in [(2, &written.arguments[..]), (4, &written.arguments), (3, shorter), (3, &longer)] {
        assert_eq!(forward(batch, argument).expect_err("damaged").kind(), ErrorKind::Decode);
    }
    assert_eq!(batch::records(&written.arguments).count(), 3);
}

#[test]
fn a_reply_whose_reader_is_gone_is_dropped_with_the_task() {
    let held = Arc::new(());
    let manual = Manual::new();
    let remote = Remote::default();
    let _future = remote.submit(|bytes: Vec<u8>| bytes.len(), vec![7; 100]).expect("accepted");
    let written = remote.take();
    let origin = Origin { task: written.task.id(), attempt: 1 };
    let (task, reply) =
        Task::forwarded(TaskOptions::new(), origin, written.encoded, &written.arguments[..]).expect("a task");
    let kept = held.clone();
    reply.add_done_callback(move |_| drop(kept));
    manual.schedule(task).expect("accepted");
    drop(reply);
    manual.run_all();
    assert_eq!(Arc::strong_count(&held), 1);
    written.complete();
}
