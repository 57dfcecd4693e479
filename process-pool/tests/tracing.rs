//! The events that a pool emits with `tracing`.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use executor_core::{Executor, Shutdown, TaskOptions};
use process_pool::{ProcessPoolExecutor, Transport};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};

/// Records each event as a line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn with(&self, parts: &[&str]) -> usize {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        let panics = line.0.contains("troublemaker");
        self.0.lock().unwrap().push(line.0);
        assert!(!panics, "a subscriber that fails");
    }
}

const LONG: Duration = Duration::from_secs(100);

#[test]
fn a_pool_emits_events_for_its_workers_and_tasks() {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(Registry::default().with(lines.clone())).unwrap();
    for transport in [Transport::Ring, Transport::Socket] {
        lines.0.lock().unwrap().clear();
        let builder = ProcessPoolExecutor::builder().max_workers(1).name_prefix("parser").transport(transport);
        let pool = builder.build().unwrap();
        let pid = pool.worker_pids()[0];
        let fine = pool.submit_with(TaskOptions::new().name("page 1"), |n: u32| n + 1, 1).unwrap();
        assert_eq!(fine.result(LONG).unwrap(), 2);
        // The subscriber panics at this event, which must not affect the pool.
        let trouble = pool.submit_with(TaskOptions::new().name("troublemaker"), |n: u32| n + 1, 2).unwrap();
        assert_eq!(trouble.result(LONG).unwrap(), 3);
        let crash = pool.submit_with(TaskOptions::new().name("page 2"), |()| std::process::abort(), ()).unwrap();
        let _: executor_core::Error = crash.result(LONG).map(|(): ()| ()).unwrap_err();
        assert_eq!(pool.submit(|n: u32| n, 3).unwrap().result(LONG).unwrap(), 3);
        pool.shutdown(Shutdown::Drain);

        let all = || lines.0.lock().unwrap().join("\n");
        let task = format!("task={}", fine.id().as_u64());
        for (count, parts) in [
            (1, vec!["DEBUG process_pool", "worker started", "worker=\"parser_0\"", &format!("pid={pid}")]),
            (
                1,
                vec![
                    "TRACE process_pool",
                    "task assigned",
                    &task,
                    "name=\"page 1\"",
                    "worker=\"parser_0\"",
                    "attempt=1",
                ],
            ),
            (1, vec!["TRACE process_pool", "task done", &task, "outcome=\"value\"", "worker=\"parser_0\""]),
            (1, vec!["task done", "name=\"troublemaker\"", "outcome=\"value\""]),
            (1, vec!["task done", "name=\"page 2\"", "outcome=\"error\"", "worker=\"parser_0\""]),
            (1, vec!["WARN process_pool", "worker died", "worker=\"parser_0\"", &format!("pid={pid}"), "SIGABRT"]),
            (1, vec!["INFO process_pool", "worker restarted", "worker=\"parser_0\""]),
            (1, vec!["INFO process_pool", "pool closed", "mode=Drain", "pool=\"parser\""]),
            (1, vec!["INFO process_pool", "pool gone", "pool=\"parser\""]),
        ] {
            assert_eq!(lines.with(&parts), count, "{parts:?} with {transport:?} in\n{}", all());
        }
    }
}
