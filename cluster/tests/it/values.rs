//! Arguments and outcomes that are too large for a message, on a real server.

use cluster::ClusterExecutor;
use executor_core::{ErrorKind, Executor, Future, Payload};
use test_support::{DEADLINE, SharedDir, add_line, touch, wait_for_file, wait_until};

use crate::local::is_skipped;

fn value<T: Payload>(future: &Future<T>) -> T {
    future.result(DEADLINE).expect("a value")
}

/// Bytes that compress badly and are not the same everywhere.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(next).collect()
}

fn reversed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

#[test]
fn values_of_any_size_travel_there_and_back_unchanged() {
    if is_skipped() {
        return;
    }
    let cluster = ClusterExecutor::local(2).expect("it starts");
    let sizes = [0, 1, 1000, 500 << 10, 512 << 10, (1 << 20) - 300, 1 << 20, (2 << 20) + 1, 20 << 20];
    let submit = |(seed, size): (usize, &usize)| cluster.submit(reversed, bytes(*size, seed as u64)).expect("open");
    let futures: Vec<_> = sizes.iter().enumerate().map(submit).collect();
    for ((seed, size), future) in sizes.iter().enumerate().zip(&futures) {
        assert!(value(future) == reversed(bytes(*size, seed as u64)), "{size} bytes");
    }
    // A batch of `map` is one argument, and its outcomes are another one.
    let items = (0..20).map(|seed| bytes(100 << 10, seed));
    let results: Vec<_> = cluster.map(reversed, items).expect("open").collect::<Result<_, _>>().expect("values");
    assert!(results.iter().zip(0..).all(|(result, seed)| *result == reversed(bytes(100 << 10, seed))));
}

#[test]
fn tasks_share_an_argument_and_a_panic_with_a_long_text_arrives() {
    if is_skipped() {
        return;
    }
    let cluster = ClusterExecutor::local(2).expect("it starts");
    let shared = bytes(3 << 20, 7);
    let sum = |bytes: Vec<u8>| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let futures: Vec<_> = (0..12).map(|_| cluster.submit(sum, shared.clone()).expect("open")).collect();
    let expected = sum(shared.clone());
    assert!(futures.iter().all(|future| value(future) == expected));
    let panics = cluster.submit(|length: usize| -> u64 { panic!("{}", "x".repeat(length)) }, 2 << 20).expect("open");
    let error = panics.result(DEADLINE).expect_err("it panics");
    assert_eq!(error.kind(), ErrorKind::Panicked);
    // The cluster works on.
    assert_eq!(value(&cluster.submit(sum, shared).expect("open")), expected);
}

#[test]
fn a_task_with_a_large_argument_can_be_cancelled_and_stopped() {
    fn runs((path, bytes): (String, Vec<u8>)) -> usize {
        add_line(&format!("{path}.ran"), bytes.len() as u32);
        touch(&format!("{path}.runs"));
        wait_for_file(&format!("{path}.end"));
        bytes.len()
    }
    if is_skipped() {
        return;
    }
    let dir = SharedDir::new();
    let cluster = ClusterExecutor::local(1).expect("it starts");
    let submit = |length| cluster.submit(runs, (dir.path("t"), bytes(length, 1))).expect("open");
    let first = submit(1 << 20);
    wait_until("the first task", || dir.has("t.runs"));
    let (cancelled, last) = (submit(2 << 20), submit(3 << 20));
    assert!(cancelled.cancel());
    assert!(first.terminate(std::time::Duration::ZERO));
    assert_eq!(first.result(DEADLINE).expect_err("it was stopped").kind(), ErrorKind::Terminated);
    dir.touch("t.end");
    assert_eq!(value(&last), 3 << 20);
    assert_eq!(dir.numbers("t.ran"), [1 << 20, 3 << 20]);
}
