//! Compares `map` on every back-end with `Iterator::map`, for random inputs, chunk sizes and buffer sizes.
//! `PROPTEST_CASES` sets the number of cases.

use std::fmt::Debug;

use concurrent_futures::{
    Backend, ErrorKind, Executor, InlineExecutor, MapOptions, ProcessPoolExecutor, ThreadPoolExecutor, Transport,
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use test_support::DEADLINE;

/// The function of each task. Its panics are expected, so they do not call the panic hook.
fn step(text: String) -> String {
    if text.contains('!') {
        std::panic::resume_unwind(Box::new(text));
    }
    format!("{text}, {} bytes", text.len())
}

/// The outcome of an item: its value, or the payload of its panic.
type Outcome = Result<String, String>;

/// Computes the outcomes with [`Iterator::map`].
fn expected(inputs: &[String]) -> Vec<Outcome> {
    let outcome = |text: &String| match text.contains('!') {
        true => Err(text.clone()),
        false => Ok(step(text.clone())),
    };
    inputs.iter().map(outcome).collect()
}

#[derive(Clone, Debug)]
struct Case {
    inputs: Vec<String>,
    options: MapOptions,
    unordered: bool,
    /// How many results are read before the map is dropped.
    read: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let item = prop_oneof![6 => "[a-z]{0,9}", 1 => "[a-z]{0,3}!", 1 => "é{300,400}"];
    let bound = |most| prop_oneof![Just(None), (1..most).prop_map(Some)];
    let read = prop_oneof![4 => Just(usize::MAX), 1 => 0..50_usize];
    (vec(item, 0..50), bound(20_usize), bound(60), any::<bool>(), read).prop_map(
        |(inputs, chunksize, buffersize, unordered, read)| {
            let mut options = MapOptions::new();
            if let Some(items) = chunksize {
                options = options.chunksize(items);
            }
            if let Some(items) = buffersize {
                options = options.buffersize(items);
            }
            if unordered {
                options = options.unordered();
            }
            Case { inputs, options, unordered, read }
        },
    )
}

fn check(executor: &dyn Backend, case: Case) -> Result<(), TestCaseError> {
    let options = case.options.timeout(DEADLINE);
    let results = executor.map_with(options, step, case.inputs.clone()).expect("accepted").take(case.read);
    let mut found: Vec<Outcome> = results
        .map(|result| {
            result.map_err(|error| {
                assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
                error.panic().expect("it has the panic").message().to_string()
            })
        })
        .collect();
    let mut expected = expected(&case.inputs);
    prop_assert_eq!(found.len(), expected.len().min(case.read));
    if case.unordered {
        found.sort();
        expected.sort();
        if found.len() < expected.len() {
            // Any of the outcomes may be read, but each of them only once.
            expected.retain(|outcome| take_one(&mut found, outcome));
            prop_assert!(found.is_empty(), "{found:?} are not results of inputs");
            return Ok(());
        }
    }
    expected.truncate(found.len());
    prop_assert_eq!(found, expected);
    Ok(())
}

fn take_one<T: PartialEq + Debug>(from: &mut Vec<T>, item: &T) -> bool {
    let at = from.iter().position(|other| other == item);
    at.map(|at| from.remove(at)).is_some()
}

fn holds_on(executor: &dyn Backend) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let is_set = std::env::var_os("PROPTEST_CASES").is_some();
    let mut runner = TestRunner::new(if is_set { config } else { ProptestConfig { cases: 60, ..config } });
    if let Err(failure) = runner.run(&cases(), |case| check(executor, case)) {
        panic!("{failure}");
    }
}

#[test]
fn map_inline_agrees_with_an_iterator() {
    holds_on(&InlineExecutor::new());
}

#[test]
fn map_on_threads_agrees_with_an_iterator() {
    holds_on(&ThreadPoolExecutor::new(3).expect("the pool can be built"));
}

#[test]
fn map_on_processes_agrees_with_an_iterator() {
    for transport in [Transport::Ring, Transport::Socket] {
        let pool = ProcessPoolExecutor::builder().transport(transport).max_workers(2).build();
        holds_on(&pool.expect("the pool can be built"));
    }
}
