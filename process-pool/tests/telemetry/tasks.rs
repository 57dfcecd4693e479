//! What arrives of tasks that end in every way, and what it belongs to.

use std::{sync::mpsc, time::Duration};

use executor_core::{ErrorKind, Executor, MapOptions, TaskOptions};
use process_pool::{ProcessPoolExecutor, Sandbox, Transport};
use test_support::{DEADLINE, SharedDir, kill, touch, wait_for_file};
use tracing::{Level, debug, error, info, info_span, trace, warn};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};

use super::{
    builder,
    collector::{Collector, LOGGER},
    install_logger, on_both,
};

#[derive(Debug)]
struct Failure;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a failure")
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&std::fmt::Error)
    }
}

#[test]
fn an_event_arrives_with_everything_that_it_had() {
    on_both(|transport| {
        let collector = Collector::default();
        collector.with(|| {
            let pool = builder(transport).build().unwrap();
            let task = |n: u64| {
                let failure: &(dyn std::error::Error + 'static) = &Failure;
                info!(n, less = -5, half = 0.5, is = true, big = i128::MIN, name = "page", path = ?"p", failure, "read");
                warn!(target: "other", "a \u{1b}[31m line\n\0 and {}", 7);
                error!(name: "custom", "");
                trace!("fine");
            };
            pool.submit(task, 9).unwrap().result(DEADLINE).unwrap();
        });
        let seen = collector.seen();
        assert_eq!(seen.len(), 4, "{seen:#?}");
        let first = &seen[0];
        assert_eq!((first.level, first.target.as_str(), first.message.as_str()), (Level::INFO, module_path!(), "read"));
        assert_eq!(first.module_path.as_deref(), Some(module_path!()));
        let (file, line) = first.place.clone().unwrap();
        assert!(file.ends_with("tasks.rs") && first.name.ends_with(&format!("tasks.rs:{line}")), "{first:?}");
        assert_eq!(
            first.fields,
            [
                "n=u64 9",
                "less=i64 -5",
                "half=f64 0.5",
                "is=bool true",
                "big=i128 -170141183460469231731687303715884105728",
                "name=str page",
                "path=\"p\"",
                "failure=error a failure < an error occurred when formatting an argument",
            ]
        );
        assert_eq!((seen[1].level, seen[1].target.as_str()), (Level::WARN, "other"));
        assert_eq!(seen[1].message, "a \u{1b}[31m line\n\0 and 7");
        assert_eq!((seen[2].level, seen[2].name.as_str()), (Level::ERROR, "custom"));
        assert_eq!((seen[3].level, seen[3].message.as_str()), (Level::TRACE, "fine"));
    });
}

#[test]
fn the_parent_of_an_event_is_the_span_of_its_task_within_that_of_the_submit() {
    on_both(|transport| {
        let collector = Collector::default();
        let id = collector.with(|| {
            let pool = builder(transport).build().unwrap();
            let task = |n: u64| {
                let _outer = info_span!("outer", n).entered();
                info_span!("inner", kind = "pdf").in_scope(|| info!(n, "within"));
                info!(parent: None, "outside");
                std::thread::spawn(|| info!("another thread")).join().unwrap();
            };
            let request = info_span!("request", id = 7);
            let options = TaskOptions::new().name("page 1");
            let future = request.in_scope(|| pool.submit_with(options, task, 3)).unwrap();
            drop(request);
            future.result(DEADLINE).unwrap();
            // The span of the submit is as open as the task.
            drop(pool);
            future.id()
        });
        let own = format!("task{{id=u64 {id} name=str page 1 worker=str parser_0}}", id = id.as_u64());
        let seen = collector.seen();
        assert_eq!(collector.messages(), ["within", "outside", "another thread"]);
        for event in &seen {
            assert_eq!(event.scope, ["request{id=i64 7}", &own]);
        }
        assert_eq!(seen[0].fields, ["n=u64 3", "worker.spans=str outer{n=3}:inner{kind=\"pdf\"}"]);
        assert_eq!(seen[1].fields, [""; 0]);
        assert_eq!(collector.open_spans(), 0);
    });
}

#[test]
fn a_task_that_was_submitted_in_no_span_has_one_of_its_own() {
    let collector = Collector::default();
    collector.with(|| {
        let pool = builder(Transport::Ring).build().unwrap();
        for _ in 0..3 {
            pool.submit(|()| (info!("one"), info!("two")), ()).unwrap().result(DEADLINE).unwrap();
        }
    });
    let seen = collector.seen();
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|event| event.scope.len() == 1 && event.scope[0].starts_with("task{id=")));
    assert!(seen.chunks(2).all(|pair| pair[0].scope == pair[1].scope), "one span for each task");
    assert_ne!(seen[0].scope, seen[2].scope);
    assert_eq!(collector.open_spans(), 0);
}

#[test]
fn the_events_of_a_task_are_delivered_before_its_callbacks_run() {
    on_both(|transport| {
        const ROUNDS: usize = 20;
        let collector = Collector::that_counts();
        let directory = SharedDir::new();
        collector.with(|| {
            let pool = builder(transport).build().unwrap();
            for round in 1..=ROUNDS {
                let path = directory.path(&format!("{transport:?} {round}"));
                let emits = |path: String| {
                    wait_for_file(&path);
                    (0..10).for_each(|n| info!(n, "counted"));
                };
                let future = pool.submit(emits, path.clone()).unwrap();
                let (send, receive) = mpsc::channel();
                let seen = collector.clone();
                // The task has not ended, so the callback runs where the pool completes it.
                future.add_done_callback(move |_| send.send(seen.count()).unwrap());
                touch(&path);
                assert_eq!(receive.recv_timeout(DEADLINE).unwrap(), round * 10);
            }
        });
    });
}

#[test]
fn events_arrive_however_the_task_ends() {
    on_both(|transport| {
        let collector = Collector::default();
        collector.with(|| {
            let pool = builder(transport).build().unwrap();
            let futures = [
                pool.submit(
                    |()| -> () {
                        info!("panics");
                        panic!("on purpose")
                    },
                    (),
                )
                .unwrap(),
                pool.submit(
                    |()| -> () {
                        info!("aborts");
                        std::process::abort()
                    },
                    (),
                )
                .unwrap(),
                pool.submit(
                    |()| -> () {
                        info!("exits");
                        std::process::exit(3)
                    },
                    (),
                )
                .unwrap(),
                pool.submit(
                    |()| {
                        info!("is killed");
                        kill(std::process::id(), libc::SIGKILL)
                    },
                    (),
                )
                .unwrap(),
            ];
            let kinds = futures.map(|future| future.result(DEADLINE).unwrap_err().kind());
            assert_eq!(kinds[0], ErrorKind::Panicked);
            assert_eq!(kinds[1..], [ErrorKind::WorkerDied; 3]);
            let options = TaskOptions::new().time_limit(Duration::from_millis(50));
            let endless = |()| -> () {
                info!("never ends");
                loop {
                    std::thread::park();
                }
            };
            let endless = pool.submit_with(options, endless, ()).unwrap();
            assert_eq!(endless.result(DEADLINE).unwrap_err().kind(), ErrorKind::TimeLimit);
        });
        assert_eq!(collector.messages(), ["panics", "aborts", "exits", "is killed", "never ends"]);
        assert!(collector.seen().iter().all(|event| event.scope.len() == 1), "{:?}", collector.seen());
        assert_eq!(collector.open_spans(), 0);
    });
}

#[test]
fn the_items_of_a_map_have_the_span_of_the_call() {
    let collector = Collector::default();
    collector.with(|| {
        let pool = builder(Transport::Ring).build().unwrap();
        let double = |n: u64| {
            debug!(n, "item");
            2 * n
        };
        let map = info_span!("import").in_scope(|| pool.map_with(MapOptions::new().chunksize(10), double, 0..100u64));
        assert_eq!(map.unwrap().map(Result::unwrap).sum::<u64>(), 9900);
    });
    let seen = collector.seen();
    let items: Vec<String> = (0..100).map(|n| format!("n=u64 {n}")).collect();
    assert_eq!(seen.iter().map(|event| event.fields[0].clone()).collect::<Vec<_>>(), items);
    assert!(seen.iter().all(|event| event.scope.len() == 2 && event.scope[0] == "import{}"));
    // A chunk is a task.
    assert!(seen.chunks(10).all(|chunk| chunk.iter().all(|event| event.scope == chunk[0].scope)));
    assert_ne!(seen[0].scope, seen[10].scope);
    assert_eq!(collector.open_spans(), 0);
}

#[test]
fn a_task_that_runs_again_is_shown_on_each_worker() {
    let collector = Collector::default();
    let path = tempfile::tempdir().unwrap();
    collector.with(|| {
        let pool = builder(Transport::Ring).build().unwrap();
        let once = |path: String| {
            info!(attempt = executor_core::task::current().unwrap().attempt(), "tries");
            if std::fs::create_dir(path).is_ok() {
                std::process::abort();
            }
        };
        let options = TaskOptions::new().retries(1);
        let path = path.path().join("ran").to_str().unwrap().to_string();
        pool.submit_with(options, once, path).unwrap().result(DEADLINE).unwrap();
    });
    let fields: Vec<String> = collector.seen().into_iter().flat_map(|event| event.fields).collect();
    assert_eq!(fields, ["attempt=u64 1", "attempt=u64 2"]);
    assert_eq!(collector.open_spans(), 0);
}

/// In a worker: writes the last event to a file.
struct ToFile(String);

impl<S: tracing::Subscriber> Layer<S> for ToFile {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        std::fs::write(&self.0, format!("{event:?}")).unwrap();
    }
}

#[test]
fn events_of_the_initializer_arrive_and_one_that_installs_a_subscriber_keeps_the_events() {
    fn plain(path: String) {
        info!(path, "initializer");
    }
    fn own(path: String) {
        let subscriber = Registry::default().with(ToFile(path));
        tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own").to_str().unwrap().to_string();
    let (first, second) = (Collector::default(), Collector::default());
    first.with(|| {
        let pool = builder(Transport::Ring).initializer(plain, "a".into()).build().unwrap();
        pool.submit(|()| info!("task"), ()).unwrap().result(DEADLINE).unwrap();
    });
    assert_eq!(first.messages(), ["initializer", "task"]);
    assert_eq!((first.seen()[0].scope.len(), first.seen()[1].scope.len()), (0, 1));
    second.with(|| {
        let pool = builder(Transport::Ring).initializer(own, path.clone()).build().unwrap();
        pool.submit(|()| info!("to its own subscriber"), ()).unwrap().result(DEADLINE).unwrap();
    });
    assert_eq!(second.messages(), [""; 0]);
    assert!(std::fs::read_to_string(path).unwrap().contains("to its own subscriber"));
}

#[test]
fn nothing_arrives_if_the_pool_does_not_forward() {
    let collector = Collector::default();
    collector.with(|| {
        let pool = builder(Transport::Ring).forward_events(false).build().unwrap();
        let is_off = |()| {
            info!("not wanted");
            tracing::level_filters::LevelFilter::current().to_string()
        };
        assert_eq!(pool.submit(is_off, ()).unwrap().result(DEADLINE).unwrap(), "off");
    });
    assert_eq!(collector.messages(), [""; 0]);
}

#[test]
fn a_panic_of_the_subscriber_affects_nothing_else() {
    on_both(|transport| {
        let collector = Collector::default();
        collector.with(|| {
            let pool = builder(transport).build().unwrap();
            for _ in 0..3 {
                let emits = |()| (info!("the subscriber fails at this"), info!("and goes on"));
                pool.submit(emits, ()).unwrap().result(DEADLINE).unwrap();
            }
        });
        assert_eq!(collector.messages(), ["the subscriber fails at this", "and goes on"].repeat(3));
        assert_eq!(collector.open_spans(), 0);
    });
}

#[test]
fn a_child_that_a_task_forks_sends_nothing() {
    #![allow(unsafe_code)]
    let collector = Collector::default();
    collector.with(|| {
        let pool = builder(Transport::Ring).build().unwrap();
        let forks = |()| {
            info!("before");
            // SAFETY: the child only emits an event and ends.
            let child = unsafe { libc::fork() };
            if child == 0 {
                info!("the child");
                // SAFETY: nothing of this process has to be cleaned up in the child.
                unsafe { libc::_exit(0) };
            }
            let mut status = 0;
            // SAFETY: the child is this process's own, and `status` is an integer.
            unsafe { libc::waitpid(child, &mut status, 0) };
            info!("after");
            status
        };
        assert_eq!(pool.submit(forks, ()).unwrap().result(DEADLINE).unwrap(), 0);
    });
    assert_eq!(collector.messages(), ["before", "after"]);
}

#[test]
fn records_reach_the_logger_within_the_span_of_the_task() {
    install_logger();
    let collector = Collector::default();
    collector.with(|| {
        let pool = builder(Transport::Ring).build().unwrap();
        let logs = |n: u64| {
            log::info!(target: "records", "read {n}\u{1b}");
            log::trace!(target: "records", "the logger of the program does not want this");
            log::error!(target: "records", "fails");
            std::process::abort();
        };
        let future = pool.submit(move |n: u64| -> () { logs(n) }, 5).unwrap();
        assert_eq!(future.result(DEADLINE).unwrap_err().kind(), ErrorKind::WorkerDied);
    });
    let records: Vec<_> = LOGGER.0.lock().unwrap().iter().filter(|seen| seen.target == "records").cloned().collect();
    let messages: Vec<_> = records.iter().map(|seen| (seen.level, seen.message.as_str(), seen.span)).collect();
    let expected = [(log::Level::Info, "read 5\u{1b}", Some("task")), (log::Level::Error, "fails", Some("task"))];
    assert_eq!(messages, expected);
    assert!(records[0].place.as_ref().is_some_and(|(file, line)| file.ends_with("tasks.rs") && *line > 0));
}

#[test]
fn a_pool_without_a_subscriber_of_its_own_uses_the_spans_of_the_submitter() {
    // The pool is built where there is no subscriber, and workers are started when one is there.
    let pool = ProcessPoolExecutor::builder().max_workers(1).min_workers(0).build().unwrap();
    let collector = Collector::default();
    collector.with(|| {
        info_span!("request").in_scope(|| {
            pool.submit(|()| info!("hello"), ()).unwrap().result(DEADLINE).unwrap();
        });
        drop(pool);
    });
    assert_eq!(collector.messages(), ["hello"]);
    assert_eq!(collector.open_spans(), 0);
}

#[test]
fn events_arrive_from_a_sandbox() {
    let collector = Collector::default();
    let was_built = collector.with(|| {
        let pool = match builder(Transport::Ring).sandbox(Sandbox::compute()).build() {
            // This system has no sandboxes.
            Err(error) if error.kind() == ErrorKind::Unsupported => return false,
            built => built.unwrap(),
        };
        pool.submit(|()| info!("locked in"), ()).unwrap().result(DEADLINE).unwrap();
        true
    });
    assert!(!was_built || collector.messages() == ["locked in"]);
}
