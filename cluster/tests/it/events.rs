//! The events of an executor, for whoever subscribes.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use executor_core::{ErrorKind, Executor};
use test_support::{DEADLINE, SharedDir, wait_until};
use tracing::{Event, Subscriber, field::Visit};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

use crate::agents::{builder, runs, server, start};

/// The texts of the events of clusters.
#[derive(Clone, Default)]
struct Texts(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Texts {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "cluster" {
            let mut text = Text(event.metadata().level().to_string());
            event.record(&mut text);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

impl Texts {
    fn wait_for(&self, parts: &[&str]) {
        wait_until(&format!("an event with {parts:?}"), || {
            let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            texts.iter().any(|text| parts.iter().all(|part| text.contains(part)))
        });
    }
}

#[test]
fn connections_and_losses_are_reported() {
    let Some(server) = server() else { return };
    let texts = Texts::default();
    // For the threads of the executor. Other tests report there too, so each text is looked for by its pool or task.
    tracing_subscriber::registry().with(texts.clone()).try_init().expect("no other test subscribes");
    let dir = SharedDir::new();
    let agent = start(&server, 1, None);
    let cluster = builder(&server).unavailable_after(Duration::from_secs(1)).build().expect("it connects");
    texts.wait_for(&["INFO message=connected", "pool=\"default\""]);
    let future = cluster.submit(runs, (dir.path("t"), 0)).expect("open");
    wait_until("the task", || dir.has("t.0"));
    agent.kill();
    assert_eq!(future.result(DEADLINE).expect_err("it is lost").kind(), ErrorKind::WorkerDied);
    texts.wait_for(&["WARN message=task lost", &format!("task={}", future.id()), "attempts=1"]);
    drop(server);
    texts.wait_for(&["WARN message=connection lost"]);
    texts.wait_for(&["WARN message=tasks refused", "has been away for more than 1s"]);
}
