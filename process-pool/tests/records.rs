//! Records of `log` in a program without a subscriber, and the levels that a worker is given.

use std::sync::Mutex;

use executor_core::Executor;
use process_pool::ProcessPoolExecutor;
use test_support::DEADLINE;
use tracing::{Metadata, level_filters::LevelFilter, subscriber::Interest};

struct Logger(Mutex<Vec<String>>);

static LOGGER: Logger = Logger(Mutex::new(Vec::new()));

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // A logger may be slow.
        let mut lines = self.0.lock().unwrap();
        lines.push(format!("{} {}: {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}

impl Logger {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A subscriber that wants events down to `INFO`.
struct Coarse;

impl tracing::Subscriber for Coarse {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// In a worker: the levels that its macros compare with.
fn levels((): ()) -> (String, String) {
    (LevelFilter::current().to_string(), log::max_level().to_string())
}

#[test]
fn a_worker_emits_what_the_program_wants() {
    let one = || ProcessPoolExecutor::builder().max_workers(1).name_prefix("parser").build().unwrap();
    let pool = one();
    assert_eq!(pool.submit(levels, ()).unwrap().result(DEADLINE).unwrap(), ("off".into(), "OFF".into()));
    drop(pool);

    log::set_logger(&LOGGER).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let pool = one();
    assert_eq!(pool.submit(levels, ()).unwrap().result(DEADLINE).unwrap(), ("off".into(), "INFO".into()));
    let logs = |n: u64| {
        log::info!(target: "app", "read {n}");
        log::debug!(target: "app", "not wanted");
        std::process::abort()
    };
    pool.submit(move |n: u64| -> () { logs(n) }, 5).unwrap().result(DEADLINE).unwrap_err();
    drop(pool);
    assert_eq!(LOGGER.lines(), ["INFO app: read 5"]);

    // A flood is reported to the logger, because nothing else is there.
    let pool = one();
    let held = LOGGER.0.lock().unwrap();
    let flood = |count: u32| (0..count).for_each(|n| log::info!("{n} {}", "x".repeat(1000)));
    pool.submit(flood, 5000).unwrap().result(DEADLINE).unwrap();
    drop(held);
    drop(pool);
    let lines = LOGGER.lines();
    assert!(lines.iter().any(|line| line.starts_with("WARN process_pool: dropped ")), "{}", lines.len());

    tracing::subscriber::set_global_default(Coarse).unwrap();
    let pool = one();
    assert_eq!(pool.submit(levels, ()).unwrap().result(DEADLINE).unwrap(), ("info".into(), "INFO".into()));
}
