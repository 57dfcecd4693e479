//! Runs a rule against the clock, and says what everything was doing when the clock won.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{Case, Harness, Rule, gate::Latch};

/// How long a rule may take, and how long it waits for what ought to happen soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// After this the rule counts as hung.
    pub deadline: Duration,
    /// After this the rule stops waiting for a single event, and fails.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { deadline: Duration::from_secs(60), patience: Duration::from_secs(20) }
    }
}

impl Limits {
    /// The default, times the number in the environment variable `CONFORMANCE_SCALE`: for slow machines and sanitizers.
    ///
    /// # Panics
    ///
    /// Where the variable is not a number above zero.
    pub fn from_env() -> Limits {
        let Limits { deadline, patience } = Limits::default();
        let scale = match std::env::var("CONFORMANCE_SCALE") {
            Err(_) => 1.0,
            Ok(text) => match text.parse::<f64>() {
                Ok(scale) if scale > 0.0 && scale.is_finite() => scale,
                _ => panic!("CONFORMANCE_SCALE is `{text}`: it has to be a number above zero, such as 2.5"),
            },
        };
        Limits { deadline: deadline.mul_f64(scale), patience: patience.mul_f64(scale) }
    }
}

/// How a rule ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The back-end keeps the rule.
    Kept,
    /// The back-end did not promise what the rule is about; why.
    Skipped(String),
    /// It does not keep it; what was seen instead.
    Broken(String),
    /// The rule did not come to an end; what everything was doing.
    Hung(String),
}

/// Runs one rule on one back-end.
///
/// A rule that hangs is left behind with its thread, so after [`Outcome::Hung`] the process had better end.
pub fn run(rule: &'static Rule, harness: Arc<dyn Harness>, limits: Limits) -> Outcome {
    if let Some(need) = harness.capabilities().lacks(rule.needs) {
        return Outcome::Skipped(format!("{} {need}", harness.name()));
    }
    let title = rule.title(&*harness);
    let registry = Arc::new(Registry::default());
    let started = Instant::now();
    let watched = {
        let registry = Arc::clone(&registry);
        watch(rule.name, limits.deadline, move || (rule.check)(&Case::new(harness, registry, limits.patience)))
    };
    match watched {
        Some(Ok(())) => Outcome::Kept,
        Some(Err(payload)) => Outcome::Broken(format!("{title}: {}", message_of(&*payload))),
        None => {
            let report = registry.report(&title, started);
            registry.open_gates();
            Outcome::Hung(report)
        }
    }
}

/// Runs code on a thread of its own, and returns its value or its panic.
///
/// Returns `None` if the code has not ended by the deadline. Its thread is then left behind.
///
/// # Panics
///
/// If no thread can be started.
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

/// What a rule has made so far, for the report of a rule that hangs.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    tasks: Vec<(String, Describe)>,
    gates: Vec<Box<dyn Latch>>,
    calls: Vec<(usize, String, Instant)>,
    calls_made: usize,
}

type Describe = Box<dyn Fn() -> String + Send>;

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn add_gate(&self, gate: Box<dyn Latch>) {
        self.lock().gates.push(gate);
    }

    pub(crate) fn open_gates(&self) {
        for gate in &self.lock().gates {
            gate.open();
        }
    }

    /// Gives a number by which more can be noted of this task.
    pub(crate) fn add_task(&self, label: String, describe: Describe) -> usize {
        let mut seen = self.lock();
        seen.tasks.push((label, describe));
        seen.tasks.len() - 1
    }

    pub(crate) fn note_task(&self, entry: usize, note: String) {
        self.lock().tasks[entry].1 = Box::new(move || note.clone());
    }

    /// Notes a call on the executor for as long as the answer lives.
    pub(crate) fn enter(self: &Arc<Self>, call: String) -> Call {
        let mut seen = self.lock();
        seen.calls_made += 1;
        let number = seen.calls_made;
        seen.calls.push((number, call, Instant::now()));
        Call(Arc::clone(self), number)
    }

    /// How many calls with this name are in progress.
    pub(crate) fn calls_in_progress(&self, call: &str) -> usize {
        self.lock().calls.iter().filter(|(_, name, _)| name == call).count()
    }

    fn report(&self, title: &str, started: Instant) -> String {
        let seen = self.lock();
        let mut text = format!("{title} hangs: no end after {:.1?}\n", started.elapsed());
        for (_, call, since) in &seen.calls {
            let _ = writeln!(text, "  {call} was called {:.1?} ago and has not returned", since.elapsed());
        }
        for (label, describe) in &seen.tasks {
            let _ = writeln!(text, "  task `{label}`: {}", describe());
        }
        for gate in &seen.gates {
            let _ = writeln!(text, "  {}", gate.describe());
        }
        text
    }
}

/// A call in progress.
pub(crate) struct Call(Arc<Registry>, usize);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.lock().calls.retain(|(number, ..)| *number != self.1);
    }
}
