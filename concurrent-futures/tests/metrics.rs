//! The statistics of both pools, in the recorder that a program has installed.
#![cfg(feature = "metrics")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use concurrent_futures::{Executor, ProcessPoolExecutor, ThreadPoolExecutor};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

/// Keeps the last value of each metric, by its name and its labels.
#[derive(Default)]
struct Kept {
    values: Arc<Mutex<BTreeMap<String, f64>>>,
    described: Mutex<BTreeMap<String, Option<Unit>>>,
}

struct Value {
    key: String,
    values: Arc<Mutex<BTreeMap<String, f64>>>,
}

impl Value {
    fn put(&self, value: f64) {
        self.values.lock().unwrap().insert(self.key.clone(), value);
    }
}

impl CounterFn for Value {
    fn increment(&self, _: u64) {
        panic!("the pool has the counts");
    }

    fn absolute(&self, value: u64) {
        self.put(value as f64);
    }
}

impl GaugeFn for Value {
    fn increment(&self, _: f64) {
        panic!("the pool has the numbers");
    }

    fn decrement(&self, _: f64) {
        panic!("the pool has the numbers");
    }

    fn set(&self, value: f64) {
        self.put(value);
    }
}

impl Kept {
    fn value(&self, key: &Key) -> Arc<Value> {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let key = format!("{} {}", key.name().trim_start_matches("concurrent_futures_"), labels.join(" "));
        Arc::new(Value { key, values: self.values.clone() })
    }

    fn get(&self, name: &str, executor: &str, backend: &str) -> f64 {
        let values = self.values.lock().unwrap();
        values[&format!("{name} executor={executor} backend={backend}")]
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>) {
        self.described.lock().unwrap().insert(name.as_str().to_string(), unit);
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.value(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.value(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn below_ten(n: u64) -> u64 {
    assert!(n < 10);
    n
}

fn run_tasks(pool: &impl Executor) {
    let tasks: Vec<_> = (0..12).map(|n| pool.submit(below_ten, n).unwrap()).collect();
    assert_eq!(tasks.iter().filter(|task| task.result(None).is_ok()).count(), 10);
}

#[test]
fn the_recorder_of_the_program_gets_the_numbers_of_each_pool() {
    let recorder = Kept::default();
    let threads = ThreadPoolExecutor::builder().max_workers(2).name_prefix("here").build().unwrap();
    let processes = ProcessPoolExecutor::builder().max_workers(1).name_prefix("there").build().unwrap();
    with_local_recorder(&recorder, || {
        threads.record_metrics();
        assert_eq!(recorder.get("tasks_done_total", "here", "threads"), 0.0);
        run_tasks(&threads);
        run_tasks(&processes);
        threads.record_metrics();
        processes.record_metrics();
    });
    for (executor, backend) in [("here", "threads"), ("there", "processes")] {
        let get = |name| recorder.get(name, executor, backend);
        assert_eq!(
            [get("tasks_done_total"), get("tasks_failed_total"), get("tasks_cancelled_total")],
            [10.0, 2.0, 0.0]
        );
        assert_eq!(get("tasks_queued"), 0.0);
    }
    assert_eq!(recorder.get("tasks_panicked_total", "here", "threads"), 2.0);
    assert_eq!(recorder.get("workers", "here", "threads"), 2.0);
    assert_eq!(recorder.get("workers", "there", "processes"), 1.0);
    assert!(recorder.get("sent_bytes_total", "there", "processes") > 0.0);
    let described = recorder.described.lock().unwrap();
    assert_eq!(described["concurrent_futures_sent_bytes_total"], Some(Unit::Bytes));
    assert!(described.values().all(Option::is_some), "each metric has a unit: {described:?}");
}
