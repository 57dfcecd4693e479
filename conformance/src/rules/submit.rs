//! Rules of `submit`: each task runs once, with its own argument, in order, on the requested number of workers.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use executor_core::{Error, ErrorKind, Executor, Payload, TaskOptions, task};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::{Case, Gate, Setup, Subject, Ticket, Tracked};

pub(super) fn cf_023_submit_gives_the_result_of_the_function(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "pow", |(base, exponent): (u64, u32)| base.pow(exponent), (2, 8));
    assert_eq!(case.value(&future), 256);
}

pub(super) fn every_task_runs_exactly_once(case: &Case) {
    let executor = case.executor(3);
    let gate = case.gate("ran");
    let futures: Vec<_> = (0..60)
        .map(|label| case.submit(&executor, format!("task {label}"), Ticket::report, gate.ticket(label)))
        .collect();
    for (label, future) in (0..).zip(&futures) {
        assert_eq!(case.value(future), label);
    }
    let mut labels = gate.labels();
    labels.sort_unstable();
    assert_eq!(labels, (0..60).collect::<Vec<_>>());
}

fn twice<T: Clone>(value: T) -> (T, T) {
    (value.clone(), value)
}

pub(super) fn function_items_closures_and_generic_functions_can_be_submitted(case: &Case) {
    let executor = case.executor(1);
    assert_eq!(case.value(&case.submit(&executor, "item", str_len, "four".to_string())), 4);
    assert_eq!(case.value(&case.submit(&executor, "closure", |n: u64| n + 1, 1)), 2);
    assert_eq!(case.value(&case.submit(&executor, "generic", twice::<u8>, 3)), (3, 3));
    assert_eq!(case.value(&case.submit(&executor, "another type", twice::<String>, "a".to_string())).1, "a");
    assert_eq!(case.value(&case.submit(&executor, "method", String::into_bytes, "ab".to_string())), b"ab");
}

#[allow(clippy::needless_pass_by_value)] // The argument of a task is passed by value.
fn str_len(text: String) -> usize {
    text.len()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Tuple(i8, String),
    Named { list: Vec<Option<char>>, map: BTreeMap<String, f64> },
    Nested(Box<Shape>),
}

pub(super) fn arguments_and_results_arrive_unchanged(case: &Case) {
    let executor = case.executor(2);
    same(case, &executor, ());
    same(case, &executor, (u128::MAX, i128::MIN, u64::MAX, i64::MIN));
    same(case, &executor, (f64::MIN_POSITIVE, f32::INFINITY, '\u{10ffff}', true));
    same(case, &executor, (String::new(), Vec::<u8>::new(), None::<u8>));
    same(case, &executor, "a\0b\u{fffd}\n".repeat(1000));
    same(case, &executor, (0..=255u8).cycle().take(1 << 20).collect::<Vec<u8>>());
    same(case, &executor, (0..100_000u32).collect::<Vec<u32>>());
    same(case, &executor, Some(Some(Err::<u8, String>("no".to_string()))));
    let map = BTreeMap::from([("pi".to_string(), 3.25)]);
    let shapes = vec![
        Shape::Unit,
        Shape::Tuple(-1, "x".to_string()),
        Shape::Nested(Box::new(Shape::Named { list: vec![Some('y'), None], map })),
    ];
    same(case, &executor, shapes);
}

fn same<T: Payload + Clone + PartialEq + std::fmt::Debug>(case: &Case, executor: &Subject, value: T) {
    let future = case.submit(executor, std::any::type_name::<T>(), |value: T| value, value.clone());
    assert!(case.value(&future) == value, "a {} came back changed", std::any::type_name::<T>());
}

pub(super) fn tasks_start_in_the_order_of_submission(case: &Case) {
    let executor = case.executor(1);
    let (first, rest) = (case.gate("first"), case.gate("rest"));
    let blocker = case.submit(&executor, "blocker", Ticket::pass, first.ticket(0));
    first.wait_arrivals(1);
    let futures: Vec<_> = (0..30)
        .map(|label| case.submit(&executor, format!("task {label}"), Ticket::report, rest.ticket(label)))
        .collect();
    first.open();
    case.value(&blocker);
    for future in &futures {
        case.value(future);
    }
    assert_eq!(rest.labels(), (0..30).collect::<Vec<_>>());
}

pub(super) fn a_higher_priority_starts_first(case: &Case) {
    let executor = case.executor(1);
    let (first, rest) = (case.gate("first"), case.gate("rest"));
    let blocker = case.submit(&executor, "blocker", Ticket::pass, first.ticket(0));
    first.wait_arrivals(1);
    let priorities = [0, -5, 7, 0, 7, i32::MAX, -5, i32::MIN];
    let futures: Vec<_> = (0..)
        .zip(priorities)
        .map(|(label, priority)| {
            let options = TaskOptions::new().priority(priority);
            let future = executor.submit_with(options, Ticket::report, rest.ticket(label)).expect("it is open");
            case.track(format!("task {label} of priority {priority}"), future)
        })
        .collect();
    first.open();
    case.value(&blocker);
    for future in &futures {
        case.value(future);
    }
    assert_eq!(rest.labels(), [5, 2, 4, 0, 3, 1, 6, 7]);
}

pub(super) fn cf_046_cf_058_cf_146_no_more_tasks_run_than_there_are_workers(case: &Case) {
    let executor = case.executor(4);
    let gate = case.gate("saturation");
    let futures: Vec<_> = (0..20)
        .map(|label| case.submit(&executor, format!("task {label}"), Ticket::pass, gate.ticket(label)))
        .collect();
    gate.wait_arrivals(4);
    gate.flush();
    for arrived in 0..20 {
        let arrivals = gate.wait_arrivals(arrived + 1);
        if arrived >= 3 {
            // Four are held, and the next one can only arrive after one of them was released.
            gate.release(arrivals[arrived - 3].label);
        }
    }
    gate.open();
    for future in &futures {
        case.value(future);
    }
    assert_eq!(gate.most_held(), 4);
    assert!(gate.workers().len() <= 4, "tasks ran on {:?}", gate.workers());
}

pub(super) fn as_many_tasks_run_as_there_are_workers(case: &Case) {
    for width in [1, 2, 5] {
        let executor = case.executor(width);
        assert_eq!(executor.max_workers(), width);
        let gate = case.gate("all");
        let futures: Vec<_> = (0..)
            .take(width)
            .map(|label| case.submit(&executor, format!("task {label} of {width}"), Ticket::pass, gate.ticket(label)))
            .collect();
        gate.wait_arrivals(width);
        gate.open();
        for future in &futures {
            case.value(future);
        }
        assert_eq!(gate.workers().len(), width);
    }
}

pub(super) fn no_worker_is_idle_while_a_task_waits(case: &Case) {
    let executor = case.executor(2);
    let (long, short) = (case.gate("long"), case.gate("short"));
    let blocker = case.submit(&executor, "long", Ticket::pass, long.ticket(0));
    long.wait_arrivals(1);
    let futures: Vec<_> = (0..40)
        .map(|label| case.submit(&executor, format!("short {label}"), Ticket::report, short.ticket(label)))
        .collect();
    for future in &futures {
        case.value(future);
    }
    assert!(blocker.running());
    long.open();
    case.value(&blocker);
}

pub(super) fn try_submit_is_refused_while_the_queue_is_full(case: &Case) {
    let executor = case.executor_with(&Setup::workers(1).queue_capacity(2));
    let gate = case.gate("full");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let waiting: Vec<_> = (1..=2)
        .map(|label| {
            let future = executor.try_submit(Ticket::report, gate.ticket(label)).expect("the queue has space for two");
            case.track(format!("waiting {label}"), future)
        })
        .collect();
    let refused = executor.try_submit(Ticket::report, gate.ticket(3)).expect_err("two are queued");
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    assert!(waiting[0].cancel());
    let instead = executor.try_submit(Ticket::report, gate.ticket(4)).expect("a cancelled task does not count");
    let instead = case.track("instead", instead);
    gate.open();
    for future in [&blocker, &waiting[1], &instead] {
        case.value(future);
    }
    assert_eq!(gate.labels(), [0, 2, 4]);
}

/// Returns an executor whose worker runs a task and whose queue is full with another, and the gate that holds both.
pub(super) fn full_executor(case: &Case) -> (Subject, Gate, [Tracked<u32>; 2]) {
    let executor = case.executor_with(&Setup::workers(1).queue_capacity(1));
    let gate = case.gate("full");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let waiting = case.submit(&executor, "waiting", Ticket::pass, gate.ticket(1));
    (executor, gate, [running, waiting])
}

pub(super) fn submit_waits_while_the_queue_is_full(case: &Case) {
    let (executor, gate, held) = full_executor(case);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let submitter = scope.spawn(|| {
            let future = executor.submit(Ticket::report, gate.ticket(2));
            ended.store(true, Ordering::SeqCst);
            assert!(gate.is_open(), "`submit` returned while the queue was full");
            future
        });
        // If an assertion fails, the gate must be opened before the scope waits for the submitter.
        let opens = gate.open_on_drop();
        executor.wait_inside("schedule", || ended.load(Ordering::SeqCst));
        let refused = executor.try_submit(Ticket::report, gate.ticket(3)).expect_err("one is queued");
        assert_eq!(refused.kind(), ErrorKind::QueueFull);
        assert!(!ended.load(Ordering::SeqCst), "`submit` returned while the queue was full");
        drop(opens);
        let future = submitter.join().expect("it does not panic").expect("the queue has space now");
        case.value(&case.track("waited for space", future));
    });
    for future in &held {
        case.value(future);
    }
    assert_eq!(gate.labels(), [0, 1, 2]);
}

pub(super) fn a_submit_that_waits_for_space_is_refused_at_shutdown(case: &Case) {
    let (executor, gate, held) = full_executor(case);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let submitter = scope.spawn(|| {
            let refused = executor.submit(Ticket::report, gate.ticket(2)).map(drop);
            ended.store(true, Ordering::SeqCst);
            refused
        });
        let opens = gate.open_on_drop();
        executor.wait_inside("schedule", || ended.load(Ordering::SeqCst));
        executor.close(executor_core::Shutdown::Drain);
        let refused = submitter.join().expect("it does not panic").expect_err("the executor was closed");
        assert_eq!(refused.kind(), ErrorKind::ShutDown);
        assert!(!gate.is_open(), "it was refused only after there was space");
        drop(opens);
    });
    for future in &held {
        case.value(future);
    }
    assert_eq!(gate.labels(), [0, 1]);
}

#[derive(Serialize, Deserialize)]
struct Seen {
    id: String,
    name: String,
    attempt: u32,
    cancelled: bool,
}

fn describe_current((): ()) -> Option<Seen> {
    let context = task::current()?;
    Some(Seen {
        id: context.id().to_string(),
        name: context.name().to_string(),
        attempt: context.attempt(),
        cancelled: context.is_cancelled(),
    })
}

pub(super) fn a_task_can_read_its_id_and_its_name(case: &Case) {
    let executor = case.executor(1);
    let options = TaskOptions::new().name("a name");
    let future = executor.submit_with(options, describe_current, ()).expect("it is open");
    let id = future.id().to_string();
    let seen = case.value(&case.track("named", future)).expect("it runs in a task");
    assert_eq!((seen.id, seen.name.as_str(), seen.attempt, seen.cancelled), (id, "a name", 1, false));
    let seen = case.value(&case.submit(&executor, "unnamed", describe_current, ())).expect("it runs in a task");
    assert!(seen.name.contains("describe_current"), "the default name is `{}`", seen.name);
    assert!(task::current().is_none(), "the submitter does not run in a task");
}

pub(super) fn every_task_has_an_id_of_its_own(case: &Case) {
    let executors = [case.executor(1), case.executor(1)];
    let mut ids: Vec<_> =
        (0..20).map(|n| case.submit(&executors[n % 2], format!("task {n}"), |n: usize| n, n).id()).collect();
    assert!(ids.iter().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>().len() == 20);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

pub(super) fn many_threads_may_submit_concurrently(case: &Case) {
    let executor = case.executor(2);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let executor = &executor;
            scope.spawn(move || {
                let futures: Vec<_> =
                    (0..50).map(|n| case.submit(executor, "square", |n: u64| n * n, thread * 100 + n)).collect();
                for (n, future) in (thread * 100..).zip(&futures) {
                    assert_eq!(case.value(future), n * n);
                }
            });
        }
    });
}

/// A value whose variant decides whether encoding or decoding it succeeds, fails or panics.
#[derive(Debug)]
pub(super) enum Awkward {
    Fine,
    NotEncodable,
    NotDecodable,
    PanicsInEncode,
    PanicsInDecode,
}

impl Serialize for Awkward {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = match self {
            Awkward::Fine => 0,
            Awkward::NotEncodable => return Err(ser::Error::custom("cannot be encoded")),
            Awkward::NotDecodable => 1,
            Awkward::PanicsInEncode => panic!("panics in encode"),
            Awkward::PanicsInDecode => 2,
        };
        serializer.serialize_u8(number)
    }
}

impl<'de> Deserialize<'de> for Awkward {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Awkward, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(Awkward::Fine),
            1 => Err(de::Error::custom("cannot be decoded")),
            _ => panic!("panics in decode"),
        }
    }
}

/// Returns the error of a task with this argument, and whether `submit` returned it.
fn fails(case: &Case, executor: &Subject, argument: Awkward) -> (bool, Error) {
    match executor.submit(|_: Awkward| (), argument) {
        Err(error) => (true, error),
        Ok(future) => (false, case.failure(&case.track("awkward", future))),
    }
}

pub(super) fn cf_115_an_argument_that_cannot_be_encoded_is_refused_by_submit(case: &Case) {
    let executor = case.executor(1);
    let (refused, error) = fails(case, &executor, Awkward::NotEncodable);
    assert!(refused, "`submit` accepted it");
    assert_eq!(error.kind(), ErrorKind::Encode);
    let (_, error) = fails(case, &executor, Awkward::PanicsInEncode);
    assert!(matches!(error.kind(), ErrorKind::Encode | ErrorKind::Panicked), "{error}");
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
}

pub(super) fn cf_117_cf_150_an_argument_that_cannot_be_decoded_fails_its_own_task_only(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("workers");
    case.value(&case.submit(&executor, "before", Ticket::report, gate.ticket(0)));
    let (_, error) = fails(case, &executor, Awkward::NotDecodable);
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    let (_, error) = fails(case, &executor, Awkward::PanicsInDecode);
    assert!(matches!(error.kind(), ErrorKind::Decode | ErrorKind::Panicked), "{error}");
    case.value(&case.submit(&executor, "after", Ticket::report, gate.ticket(1)));
    assert_eq!(gate.workers().len(), 1, "the worker was replaced");
}
