//! What the watchdog can report about a running rule.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use crate::gate::Latch;

/// What a rule has created so far, for the report if it hangs.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    tasks: Vec<(String, Describe)>,
    gates: Vec<Box<dyn Latch>>,
    calls: Vec<(usize, String, Instant)>,
    calls_made: usize,
}

type Describe = Box<dyn Fn() -> String + Send>;

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Entries> {
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

    /// Registers a task, and returns its number for `note_task`.
    pub(crate) fn add_task(&self, label: String, describe: Describe) -> usize {
        let mut entries = self.lock();
        entries.tasks.push((label, describe));
        entries.tasks.len() - 1
    }

    /// Replaces the description of a task.
    pub(crate) fn note_task(&self, entry: usize, note: String) {
        self.lock().tasks[entry].1 = Box::new(move || note.clone());
    }

    /// Registers a call on the executor until the returned guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>, call: String) -> Call {
        let mut entries = self.lock();
        entries.calls_made += 1;
        let number = entries.calls_made;
        entries.calls.push((number, call, Instant::now()));
        Call(Arc::clone(self), number)
    }

    /// Returns how many calls with this name are in progress.
    pub(crate) fn calls_in_progress(&self, call: &str) -> usize {
        self.lock().calls.iter().filter(|(_, name, _)| name == call).count()
    }

    /// Describes all tasks, gates and calls of a rule that hangs.
    pub(crate) fn report(&self, title: &str, started: Instant) -> String {
        let entries = self.lock();
        let mut text = format!("{title} hangs: it has not ended after {:.1?}\n", started.elapsed());
        for (_, call, since) in &entries.calls {
            let _ = writeln!(text, "  {call} was called {:.1?} ago and has not returned", since.elapsed());
        }
        for (label, describe) in &entries.tasks {
            let _ = writeln!(text, "  task `{label}`: {}", describe());
        }
        for gate in &entries.gates {
            let _ = writeln!(text, "  {}", gate.describe());
        }
        text
    }
}

/// The guard of a call in progress.
pub(crate) struct Call(Arc<Registry>, usize);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.lock().calls.retain(|(number, ..)| *number != self.1);
    }
}
