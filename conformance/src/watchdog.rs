//! Runs a rule with a deadline, and reports what everything was doing if the rule hangs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{Case, Harness, Rule, registry::Registry};

/// The exit code of a test process in which a rule hung.
pub const HUNG: i32 = 86;

/// How long a rule may take, and how long it may wait for a single event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A rule that takes longer counts as hung.
    pub deadline: Duration,
    /// A rule that waits longer for an event fails.
    pub event_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { deadline: Duration::from_secs(60), event_timeout: Duration::from_secs(20) }
    }
}

impl Limits {
    /// Returns the default limits, multiplied by the environment variable `CONFORMANCE_SCALE` if that is set. A factor
    /// is useful on slow machines and under sanitizers.
    ///
    /// # Panics
    ///
    /// Panics if the variable is not a number above zero.
    pub fn from_env() -> Limits {
        let Limits { deadline, event_timeout } = Limits::default();
        let scale = match std::env::var("CONFORMANCE_SCALE") {
            Err(_) => 1.0,
            Ok(text) => match text.parse::<f64>() {
                Ok(scale) if scale > 0.0 && scale.is_finite() => scale,
                _ => panic!("CONFORMANCE_SCALE is `{text}`: it must be a number above zero, such as 2.5"),
            },
        };
        Limits { deadline: deadline.mul_f64(scale), event_timeout: event_timeout.mul_f64(scale) }
    }
}

/// The outcome of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The back-end follows the rule.
    Passed,
    /// The back-end lacks a capability that the rule needs; the reason.
    Skipped(String),
    /// The back-end breaks the rule; what was observed.
    Broken(String),
    /// The rule did not end in time; the state of its tasks, gates and calls.
    Hung(String),
}

/// Runs one rule on one back-end.
///
/// The thread of a rule that hangs keeps running, so the process should end after [`Outcome::Hung`].
pub fn run(rule: &'static Rule, harness: Arc<dyn Harness>, limits: Limits) -> Outcome {
    if let Some(need) = harness.capabilities().lacks(rule.needs) {
        return Outcome::Skipped(format!("{} {need}", harness.name()));
    }
    let title = rule.title(&*harness);
    let registry = Arc::new(Registry::default());
    let started = Instant::now();
    let watched = {
        let registry = Arc::clone(&registry);
        watch(rule.name, limits.deadline, move || (rule.check)(&Case::new(harness, registry, limits.event_timeout)))
    };
    match watched {
        Some(Ok(())) => Outcome::Passed,
        Some(Err(payload)) => Outcome::Broken(format!("{title}: {}", message_of(&*payload))),
        None => {
            let report = registry.report(&title, started);
            registry.open_gates();
            Outcome::Hung(report)
        }
    }
}

/// Runs code on a new thread, and returns its value or its panic.
///
/// Returns `None` if the code has not ended by the deadline. Its thread then keeps running.
///
/// # Panics
///
/// Panics if no thread can be started.
pub fn watch<R: Send + 'static>(
    name: &str,
    deadline: Duration,
    code: impl FnOnce() -> R + Send + 'static,
) -> Option<thread::Result<R>> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new()
        .name(name.to_string())
        .spawn(move || {
            let _ = sender.send(catch_unwind(AssertUnwindSafe(code)));
        })
        .expect("a thread can be started");
    let result = receiver.recv_timeout(deadline).ok()?;
    let _ = thread.join();
    Some(result)
}

fn message_of(payload: &(dyn std::any::Any + Send)) -> String {
    match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_string(),
        None => payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "a payload that is not text".to_string()),
    }
}
